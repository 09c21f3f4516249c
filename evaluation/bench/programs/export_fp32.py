"""Program: a checkpoint to the fp32 graph that ONNX Runtime and OpenVINO are given."""

import sys
import warnings

import torch
from transformers import AutoModelForSequenceClassification


class LogitsOnly(torch.nn.Module):
    """Two inputs and one output, whatever else the family takes and returns."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Run a padded batch of shape `(batch, length)`."""
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def main() -> None:
    """Run: `export_fp32.py CHECKPOINT TARGET`."""
    model = AutoModelForSequenceClassification.from_pretrained(
        sys.argv[1], trust_remote_code=True, attn_implementation="eager", dtype=torch.float32
    ).eval()
    ids = torch.randint(5, 1000, (2, 16))
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            LogitsOnly(model),
            (),
            sys.argv[2],
            kwargs={"input_ids": ids, "attention_mask": torch.ones_like(ids)},
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": free, "attention_mask": free},
            opset_version=18,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


if __name__ == "__main__":
    main()
