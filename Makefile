# make serve | test | train | release | lint: each makes its own virtual environment when there is none.
# PYTHON chooses the interpreter, HOST and PORT the address, DATA a folder of rows, ARGS whatever else.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
ARGS ?=
INSTALL = install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: serve test train release has-data lint docs-check clean

# The serving environment holds neither torch nor transformers.
.venv-serve/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-serve
	.venv-serve/bin/pip $(INSTALL) -e '.[serve]'
	touch $@

.venv/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip $(INSTALL) -e '.[serve,train,eval,bench,documents,dev]'
	touch $@

serve: .venv-serve/.done
	.venv-serve/bin/twohands serve --host $(HOST) --port $(PORT) $(ARGS)

test: .venv/.done
	.venv/bin/python -m pytest $(ARGS)

# Without DATA: the starter corpus. With DATA=folder: its train.jsonl, dev.jsonl and test.jsonl.
train: .venv/.done
	.venv/bin/twohands train configs/minilm.yaml $(if $(DATA),--set data.root=$(DATA)) $(ARGS)

# The release again, from its rows: DATA=folder with the files that CONFIG names. Given again after a kill, it goes on.
# FIRST is the stage that CONFIG goes on from; FIRST= where CONFIG begins from the pre-trained encoder.
FIRST ?= configs/twohands-base.yaml
CONFIG ?= configs/twohands.yaml
OUTPUT ?= models/twohands
has-data:
	$(if $(DATA),,$(error make release needs DATA=folder, with the files that $(CONFIG) names, such as train.jsonl and dev.jsonl))
	@test -d '$(DATA)' || { echo "make release: DATA=$(DATA) is no folder" >&2; exit 1; }

release: has-data .venv/.done
	$(if $(FIRST),.venv/bin/twohands train $(FIRST) --set data.root='$(DATA)' --no-export $(ARGS))
	.venv/bin/twohands train $(CONFIG) --set data.root='$(DATA)' --output $(OUTPUT) --overwrite $(ARGS)
	.venv/bin/twohands models verify $(OUTPUT)
	.venv/bin/twohands evaluate --model $(OUTPUT) --data '$(DATA)'/dev.jsonl --report runs/$(notdir $(OUTPUT))-report --without-texts

lint: .venv/.done
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pydoclint --quiet twohands training serving evaluation
	.venv/bin/codespell

clean:
	rm -rf .venv .venv-serve build dist .pytest_cache .mypy_cache .ruff_cache
