# make serve | test | train | release | report | lint: each makes its own virtual environment when there is none.
# PYTHON chooses the interpreter, HOST and PORT the address, DATA a folder of rows, ARGS whatever else.
PYTHON ?= python3
# Not from the environment: conda's compilers and tcsh export a HOST of their own, to which nothing could be bound.
HOST = 127.0.0.1
PORT = 8000
ARGS ?=
# Hundreds of processes that tests start would compile all that they import, each time.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: serve test train release report has-data lint clean

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

# Files of tests run side by side, as most of them wait most of the time; JOBS=0 runs them one after another.
JOBS ?= 3
test: .venv/.done
	.venv/bin/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

# Without DATA: the starter corpus. With DATA=folder: its train.jsonl, dev.jsonl and test.jsonl.
train: .venv/.done
	.venv/bin/twohands train configs/minilm.yaml $(if $(DATA),--set data.root=$(DATA)) $(ARGS)

# The release again, from its rows: DATA=folder with the files that CONFIG names. Given again after a kill, it goes on.
# What CONFIG does not say itself has the release's values for the release alone: stages, means, page and keywords of
# other labels would be learnt from, and our model be replaced, after hours and in silence (#3).
CONFIG ?= configs/twohands.yaml
OF_RELEASE = $(filter $(abspath configs/twohands.yaml),$(abspath $(CONFIG)))
OUTPUT ?= models/$(basename $(notdir $(CONFIG)))
ifeq ($(origin OUTPUT) $(OUTPUT)$(OF_RELEASE),file models/twohands)
$(error $(CONFIG) would replace the released model, as a copy of its config that kept its name: pass OUTPUT=folder)
endif
# A slash at its end left the folders beside it without their name: runs/-mean, runs/-report (#3).
override OUTPUT := $(patsubst %/,%,$(OUTPUT))
# STAGES are those that CONFIG goes on from, in order; empty where CONFIG begins from the pre-trained encoder.
STAGES ?= $(if $(OF_RELEASE),configs/twohands-base.yaml configs/twohands-second.yaml configs/twohands-third.yaml \
  configs/twohands-fourth.yaml configs/twohands-fifth.yaml configs/twohands-sixth.yaml \
  configs/twohands-seventh.yaml configs/twohands-eighth.yaml configs/twohands-ninth.yaml)
# The checkpoints whose mean is made then, as runs/NAME-start/checkpoint of CONFIG=NAME.yaml, described by START_CONFIG, and the
# stages that go on from it, which name that folder.
START_MEAN ?= $(if $(OF_RELEASE),runs/twohands-eighth/checkpoint runs/twohands-ninth/checkpoint)
START_CONFIG ?= $(if $(OF_RELEASE),configs/twohands-mean.yaml,$(CONFIG))
LATER_STAGES ?= $(if $(OF_RELEASE),configs/twohands-tenth.yaml configs/twohands-eleventh.yaml)
# A checkpoint whose feed-forward parts are made narrower, in place of that mean: RUN/checkpoint --width UNITS. What the units
# do is seen on DATA's train.jsonl.
NARROW ?=
# The checkpoints whose mean is released, described by CONFIG; empty where CONFIG is the last stage itself.
MEAN ?= $(if $(OF_RELEASE),runs/twohands-eleventh/checkpoint runs/twohands-tenth/checkpoint)
has-data:
	$(if $(DATA),,$(error make release needs DATA=folder, with the files that $(CONFIG) names, such as train.jsonl and dev.jsonl))
	@test -d '$(DATA)' || { echo "make release: DATA=$(DATA) is no folder" >&2; exit 1; }

define newline


endef
MEAN_OUTPUT = runs/$(notdir $(OUTPUT))-mean/checkpoint
TRAIN_LAST = .venv/bin/twohands train $(CONFIG) --set data.root='$(DATA)' --output $(OUTPUT) --overwrite $(ARGS)
START = .venv/bin/twohands average $(START_MEAN) --overwrite --output runs/$(basename $(notdir $(CONFIG)))-start/checkpoint \
  --config $(START_CONFIG) --set data.root='$(DATA)' $(ARGS)
SQUEEZE = .venv/bin/twohands narrow $(NARROW) --data '$(DATA)'/train.jsonl --overwrite \
  --output runs/$(basename $(notdir $(CONFIG)))-start/checkpoint
AVERAGE = .venv/bin/twohands average $(MEAN) --output $(MEAN_OUTPUT) --overwrite --config $(CONFIG) \
  --set data.root='$(DATA)' $(ARGS)
EXPORT_MEAN = .venv/bin/twohands export $(MEAN_OUTPUT) --output $(OUTPUT) --overwrite
LAST = $(if $(MEAN),$(AVERAGE)$(newline)$(EXPORT_MEAN),$(TRAIN_LAST))
release: has-data .venv/.done
	$(if $(and $(NARROW),$(START_MEAN)),$(error NARROW and START_MEAN both write runs/NAME-start/checkpoint: give one of them))
	$(foreach stage,$(STAGES),.venv/bin/twohands train $(stage) --set data.root='$(DATA)' --no-export $(ARGS)$(newline))
	$(if $(START_MEAN),$(START))
	$(if $(NARROW),$(SQUEEZE))
	$(foreach stage,$(LATER_STAGES),.venv/bin/twohands train $(stage) --set data.root='$(DATA)' --no-export $(ARGS)$(newline))
	$(LAST)
	.venv/bin/twohands models verify $(OUTPUT)
	$(REPORT)

# The full report of OUTPUT on DATA's dev.jsonl, its summary in the model's card and in PAGE. BASELINES are fitted on
# DATA's train.jsonl and tuned on one half of dev. HUMAN=folder with the people's codings sets the model beside them.
BASELINES ?= majority $(if $(filter $(abspath configs)/twohands%,$(abspath $(CONFIG))),keywords) tfidf zero-shot
HUMAN ?=
PAGE ?= $(if $(filter models/twohands,$(OUTPUT)),docs/model-report.md)
comma := ,
SCALE = --scale market-led,neutral,state-led --cut 1/3
PEOPLE = --people 'debate$(comma) two panels=--data $(HUMAN)/coal_debate_windows.jsonl \
    --annotators panel_1 panel_2 $(SCALE)' \
  --people 'debate$(comma) each coder=--data $(HUMAN)/coal_debate_sentences.jsonl --codes coders \
    --annotator coder --label code --text before text after $(SCALE)' \
  --people 'manifestos$(comma) on the construct=--data $(HUMAN)/manifesto_windows.jsonl \
    --annotators experts.sign crowd.sign --where on_construct=true $(SCALE)' \
  --people 'manifestos=--data $(HUMAN)/manifesto_windows.jsonl \
    --annotators experts.sign crowd.sign $(SCALE)'
REPORT = .venv/bin/twohands report --model $(OUTPUT) --data '$(DATA)'/dev.jsonl \
  $(if $(BASELINES),--train '$(DATA)'/train.jsonl $(foreach name,$(BASELINES),--baseline $(name))) \
  $(if $(HUMAN),$(PEOPLE)) --output runs/$(notdir $(OUTPUT))-report --card $(if $(PAGE),--page $(PAGE))
report: has-data .venv/.done
	$(REPORT)

lint: .venv/.done
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pydoclint --quiet twohands training serving evaluation
	.venv/bin/codespell

clean:
	rm -rf .venv .venv-serve .venv-clients .venv-schemathesis build dist .pytest_cache .mypy_cache .ruff_cache
