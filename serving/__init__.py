"""The serving room: HTTP -> paragraphs -> model -> HTTP. Never imports training, evaluation, torch or transformers."""
