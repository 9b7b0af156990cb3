"""Image folders: order, color, size, and every way of being wrong."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from accelsim.datasets import DATASETS, load_dataset, read_split
from accelsim.errors import ConfigError, DataError

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7


@pytest.fixture
def images(tmp_path):
    """Return a function that saves path -> array or picture, and returns the set's name."""

    def save(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(content) if isinstance(content, np.ndarray) else content
            picture.save(path)
        return f"folder:{tmp_path}"

    return save


def test_classes_take_turns_in_the_order_of_names(images):
    """So the first few images are of all classes."""
    name = images(
        {
            "test/dog/b.png": GRAY + 2,
            "test/dog/a.BMP": GRAY + 1,
            "test/cat/c.png": GRAY,
            "test/dog/c.png": GRAY + 5,
            "train/cat/0.pgm": GRAY + 3,
            "train/dog/0.png": GRAY + 4,
        }
    )
    test = read_split(name, "test")
    assert test.class_names == ("cat", "dog")
    assert_array_equal(test.pixels[:, 0], [GRAY, GRAY + 1, GRAY + 2, GRAY + 5])
    assert test.labels.tolist() == [0, 1, 1, 1]
    images({"test/cat/d.png": GRAY + 6})
    assert read_split(name, "test").labels.tolist() == [0, 1, 0, 1, 1]
    assert_array_equal(read_split(name, "train").pixels[:, 0], [GRAY + 3, GRAY + 4])
    found, _ = load_dataset(name, "test")
    assert_array_equal(found[0, 0], GRAY / np.float32(255))
    assert DATASETS[name].state("test", None).startswith("found in ")


def test_color_is_red_green_blue_planes_and_gray_among_it_is_repeated(images):
    name = images(
        {"a/0.png": COLOR, "a/1.png": GRAY, "b/0.png": Image.fromarray(GRAY).convert("P")}
    )
    found = read_split(name, "test").pixels
    assert found.shape == (3, 3, 3, 4)
    assert_array_equal(found[0], COLOR.transpose(2, 0, 1))
    assert_array_equal(found[1], [GRAY] * 3)
    assert found.flags.c_contiguous


def test_images_of_bits_are_black_and_white(images):
    name = images({"a/0.png": Image.fromarray(GRAY > 100)})
    assert_array_equal(read_split(name, "test").pixels[0, 0], (GRAY > 100) * 255)


def test_val_is_another_name_for_test(images):
    name = images({"train/a/0.png": GRAY, "val/a/0.png": GRAY + 1})
    assert_array_equal(read_split(name, "test").pixels[0, 0], GRAY + 1)


def test_images_are_scaled_where_the_name_says_so(images):
    name = images({"a/0.png": COLOR, "a/1.png": np.full((9, 7), 50, np.uint8)})
    found = read_split(name.replace("folder:", "folder@6x5:"), "test").pixels
    assert found.shape == (2, 3, 6, 5)
    assert (found[1] == 50).all()


def test_rejects_images_of_several_sizes(images, tmp_path):
    name = images({"a/0.png": GRAY, "b/1.png": np.zeros((28, 28), np.uint8)})
    message = rf"{tmp_path}/b/1\.png: images must have one size, got 28x28 after 3x4; .*folder@3x4:"
    with pytest.raises(DataError, match=message):
        read_split(name, "test")


def test_classes_without_splits_are_not_trained_on(images):
    name = images({"a/0.png": GRAY})
    assert DATASETS[name].state("train", None) == "missing"
    with pytest.raises(DataError, match="train split. needs train/<class>/<image>: not found in"):
        read_split(name, "train")


def test_train_alone_is_not_tested_on(images):
    name = images({"train/a/0.png": GRAY})
    with pytest.raises(DataError, match="needs test/<class>/<image> or val/<class>/<image>"):
        read_split(name, "test")


def test_rejects_splits_with_other_classes(images):
    """A class that one split lacks would shift the labels of those after it."""
    name = images({"train/a/0.png": GRAY, "train/b/0.png": GRAY, "test/b/0.png": GRAY})
    for split in ("train", "test"):
        with pytest.raises(DataError, match="must have the same classes, got 'a' in one of them"):
            read_split(name, split)


@pytest.mark.parametrize(
    ("mode", "color"), [("RGBA", (1, 2, 3, 4)), ("I;16", 9), ("CMYK", (1, 2, 3, 4)), ("LA", (1, 2))]
)
def test_rejects_other_kinds_of_pixels(images, tmp_path, mode, color):
    name = images({"a/0.tif": Image.new(mode, (4, 3), color)})
    with pytest.raises(DataError, match=rf"{tmp_path}/a/0\.tif: .*got mode {mode}; convert it"):
        read_split(name, "test")


def test_rejects_transparency_of_a_palette(images, tmp_path):
    picture = Image.fromarray(GRAY).convert("P")
    picture.info["transparency"] = 0
    with pytest.raises(DataError, match="without transparency, got mode P"):
        read_split(images({"a/0.png": picture}), "test")


def test_rejects_an_empty_folder_an_empty_class_and_a_missing_one(images, tmp_path):
    with pytest.raises(DataError, match="must hold a folder for each class, got none"):
        read_split(f"folder:{tmp_path}", "test")
    name = images({"a/0.png": GRAY})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".hidden").touch()
    with pytest.raises(DataError, match=rf"{tmp_path}/b: a class must have at least one image"):
        read_split(name, "test")
    with pytest.raises(DataError, match="needs test/<class>/<image> .*: not found in /none"):
        read_split("folder:/none", "test")


def test_a_folder_that_cannot_be_read_is_told(images, monkeypatch):
    name = images({"a/0.png": GRAY})

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        read_split(name, "test")


@pytest.mark.parametrize("name", ["notes.txt", "inner.png/0.png"])
def test_rejects_what_is_no_image_file(images, tmp_path, name):
    found = images({"a/0.png": GRAY})
    path = tmp_path / "a" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("no image")
    with pytest.raises(DataError, match="is no image; a class's folder holds .bmp, "):
        read_split(found, "test")


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_rejects_an_image_that_is_cut_off(images, tmp_path, cut):
    name = images({"a/0.png": COLOR})
    path = tmp_path / "a" / "0.png"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=rf"{path} cannot be read as an image"):
        read_split(name, "test")


@pytest.mark.parametrize("size", ["0x5", "5x0", "5x9999"])
def test_rejects_sizes_out_of_range(size):
    with pytest.raises(ConfigError, match=r"height and width must be in 1\.\.4096, got"):
        read_split(f"folder@{size}:x", "test")
