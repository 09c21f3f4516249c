"""Program part: lets other people's tools load a checkpoint with mean pooling, by `trust_remote_code`.

The same network that `training` writes, for libraries that do not know this project: it is copied beside the weights.
"""

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class MeanPoolingConfig(PretrainedConfig):
    """The encoder's config and the labels."""

    model_type = "twohands-mean-pooling"
    has_no_defaults_at_init = True

    def __init__(self, encoder: object = None, **kwargs: object) -> None:
        """Read the encoder's own config from a dict."""
        if isinstance(encoder, dict):
            settings = dict(encoder)
            encoder = AutoConfig.for_model(settings.pop("model_type"), **settings)
        self.encoder = encoder
        super().__init__(**kwargs)


class MeanPoolingForSequenceClassification(PreTrainedModel):
    """Mean of the token vectors, one linear layer."""

    config_class = MeanPoolingConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True

    def __init__(self, config: MeanPoolingConfig) -> None:
        """Build the network; its weights are loaded over it."""
        super().__init__(config)
        self.encoder = AutoModel.from_config(config.encoder)
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None
        self.dropout = nn.Dropout(0.0)
        self.classifier = nn.Linear(config.encoder.hidden_size, config.num_labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Leave everything as it is: all weights are loaded."""

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **others: object
    ) -> SequenceClassifierOutput:
        """Classify a padded batch of shape `(batch, length)`."""
        del others
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        return SequenceClassifierOutput(logits=self.classifier(pooled))
