"""Tests of accelsim.training.augmentation."""

import dataclasses

import torch

from accelsim.recipe import Recipe
from accelsim.training.augmentation import augmented

PLAIN = Recipe(epochs=1, batch_size=1, learning_rate=1.0)


def test_without_augmentation_nothing_is_drawn():
    state, images = torch.get_rng_state(), torch.rand(3, 2, 4, 4)
    torch.set_rng_state(state)
    assert augmented(images, PLAIN) is images
    assert torch.equal(torch.get_rng_state(), state)


def test_a_flip_mirrors_about_half_of_the_images():
    images = torch.arange(400.0).reshape(100, 1, 2, 2)
    torch.manual_seed(0)
    made = augmented(images, dataclasses.replace(PLAIN, flip=True))
    mirrored = [torch.equal(one, image.flip(2)) for one, image in zip(made, images, strict=True)]
    same = [torch.equal(one, image) for one, image in zip(made, images, strict=True)]
    assert [not one for one in mirrored] == same
    assert 30 < sum(mirrored) < 70


def test_a_crop_is_a_part_of_the_padded_image():
    """Each of the 9 shifts by up to one row and column, the same for both channels."""
    image = torch.arange(1.0, 19.0).reshape(2, 3, 3)
    torch.manual_seed(0)
    made = augmented(image.repeat(200, 1, 1, 1), dataclasses.replace(PLAIN, crop_padding=1))
    padded = torch.zeros(2, 5, 5)
    padded[:, 1:4, 1:4] = image
    parts = {
        tuple(padded[:, row : row + 3, column : column + 3].flatten().tolist())
        for row in range(3)
        for column in range(3)
    }
    assert {tuple(one.flatten().tolist()) for one in made} == parts
