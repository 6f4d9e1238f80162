"""Stand-ins of the code that peers' authors publish: its names, its shapes, and what it asserts of its arguments."""

import json

import torch

FIELD = """
import json

import torch
import torch.nn.functional as F

def field(bits, rows, columns):
    signs = (bits * 2 - 1).reshape(-1, 1, rows, columns)
    return F.interpolate(signs, [256, 256], mode="nearest")

def means(images, rows, columns):
    return F.adaptive_avg_pool2d(images.mean(1, keepdim=True), [rows, columns]).flatten(1)
"""

MBRS = {
    "network/Encoder_MP.py": FIELD
    + """
class Encoder_MP(torch.nn.Module):
    def __init__(self, H, W, message_length, blocks=4, channels=64):
        super().__init__()
        assert (H, W, message_length) == (256, 256, 256)
        self.gain = torch.nn.Parameter(torch.zeros(()))

    def forward(self, image, message):
        assert image.shape[1:] == (3, 256, 256) and image.abs().max() <= 1
        return image + self.gain * field(message, 16, 16)
""",
    "network/Decoder.py": FIELD
    + """
class Decoder(torch.nn.Module):
    def __init__(self, H, W, message_length, blocks=4, channels=64):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.zeros(()))

    def forward(self, noised_image):
        return 0.5 + self.gain * means(noised_image, 16, 16)
""",
}
INVISMARK = {
    "configs.py": """
from dataclasses import dataclass

@dataclass
class ModelConfig:
    num_encoded_bits: int = 128
    image_shape: tuple = (256, 256)
""",
    "model.py": FIELD
    + """
import torchvision

class Encoder(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.repeats, self.gain = config.num_repeats, torch.nn.Parameter(torch.zeros(()))

    def forward(self, image, watermark=None):
        return (image + self.gain * field(watermark, 10, 10)).tanh()

class Extractor(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.extractor = torchvision.models.convnext_base(weights="IMAGENET1K_V1")

    def forward(self, image):
        return (50 * means(self.extractor(image), 10, 10)).sigmoid()
""",
}
WAM = {
    "checkpoints/params.json": json.dumps(
        {
            "embedder_config": "configs/embedder.yaml",
            "extractor_config": "configs/extractor.yaml",
            "attenuation_config": "configs/attenuation.yaml",
            "embedder_model": "vae_small",
            "extractor_model": "sam_base",
            "attenuation": "jnd_1_3_blue",
            "nbits": 32,
            "img_size": 256,
            "scaling_w": 2.0,
        }
    ),
    "configs/embedder.yaml": "vae_small: {ch: 32}",
    "configs/extractor.yaml": "sam_base: {depth: 12}",
    "configs/attenuation.yaml": "jnd_1_3_blue: {in_channels: 1, out_channels: 3, blue: true}",
    "watermark_anything/models/__init__.py": FIELD
    + """
class Embedder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.zeros(()))

    def forward(self, imgs, msgs):
        return self.gain * field(msgs, 4, 8).expand(-1, 3, -1, -1)

class Detector(Embedder):
    def forward(self, imgs):
        bits = means(imgs, 4, 8)[:, :, None, None].expand(-1, -1, 256, 256)
        return torch.cat([torch.ones_like(bits[:, :1]), self.gain * bits], 1)

def build_embedder(name, cfg, nbits):
    assert (name, cfg.ch, nbits) == ("vae_small", 32, 32)
    return Embedder()

def build_extractor(name, cfg, img_size, nbits):
    assert (name, cfg.depth, img_size, nbits) == ("sam_base", 12, 256, 32)
    return Detector()
""",
    "watermark_anything/data/transforms.py": """
import json

import torch
mean, std = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
normalize_img, unnormalize_img = lambda x: (x - mean) / std, lambda x: x * std + mean
""",
    "watermark_anything/modules/jnd.py": """
import json

import torch

class JND(torch.nn.Module):
    def __init__(self, preprocess, postprocess, in_channels, out_channels, blue):
        super().__init__()
        assert (in_channels, out_channels, blue) == (1, 3, True)
        self.preprocess, self.postprocess = preprocess, postprocess
        self.conv_lum = torch.nn.Conv2d(3, 3, 1, bias=False)

    def forward(self, imgs, imgs_w):
        imgs, imgs_w = self.preprocess(imgs), self.preprocess(imgs_w)
        return self.postprocess(imgs + 0.5 * (imgs_w - imgs))
""",
}


class Backbone(torch.nn.Module):
    """In place of ``torchvision.models.resnet50``: differences of neighbours, block by block."""

    def __init__(self, weights=None):
        super().__init__()
        assert weights is None
        self.conv = torch.nn.Conv2d(3, 32, 5, bias=False)
        self.fc = torch.nn.Linear(32 * 64, 1000)

    def forward(self, images):
        return self.fc(torch.nn.functional.adaptive_avg_pool2d(self.conv(images).relu(), [8, 8]).flatten(1))
