import numpy as np
import pytest

from accelsim.errors import DataError
from accelsim.figures import error_magnitude, error_surfaces
from accelsim.multipliers import MULTIPLIERS
from accelsim.surfaces import ErrorSurface, error_surface


def test_surfaces_share_one_symmetric_scale_in_percent():
    surfaces = [error_surface(MULTIPLIERS[name]) for name in ("ax_fpm", "ax_fpm_flat")]
    figure = error_surfaces(surfaces)
    *maps, bar = figure.axes
    greatest = 100 * max(np.abs(surface.error).max() for surface in surfaces)
    for axes, surface in zip(maps, surfaces, strict=True):
        (image,) = axes.images
        assert image.get_clim() == pytest.approx((-greatest, greatest))
        np.testing.assert_allclose(image.get_array(), 100 * surface.error)
        assert (image.origin, image.get_extent()) == ("lower", [1, 2, 1, 2])
        assert axes.get_title() == surface.unit
        assert axes.get_xlabel() == "significand of the weight"
        assert axes.get_ylabel() == "significand of the activation"
    assert "%" in bar.get_ylabel()


def test_a_unit_without_errors_is_white():
    (axes, bar) = error_surfaces([error_surface(MULTIPLIERS["exact_int8"])]).axes
    (image,) = axes.images
    assert image.get_clim() == (-1, 1)
    assert image.cmap(image.norm(0.0))[:3] == pytest.approx((0.97, 0.97, 0.97), abs=0.01)
    assert bar.get_ylabel() == "product - exact"


def test_rejects_surfaces_of_different_operands():
    surfaces = [error_surface(MULTIPLIERS[name]) for name in ("exact_int8", "exact_uint8")]
    with pytest.raises(DataError, match="exact_int8 and exact_uint8 have operands of different"):
        error_surfaces(surfaces)


def test_bands_are_quantiles_of_each_binade():
    """1000 errors from 0 to 99.9 % in binade 2^3, their negatives halved in 2^4."""
    errors = np.arange(1000) / 1000
    exact = np.repeat([8.0, 16.0], 1000)
    product = exact * (1 + np.concatenate([errors, -errors / 2]))
    # An exact zero and an overflow have no relative error.
    exact, product = np.append(exact, [0.0, 8.0]), np.append(product, [5.0, np.inf])
    axes, histogram = error_magnitude(exact, product, "some unit").axes
    (median, *_) = axes.lines
    assert median.get_xdata().tolist() == [3, 4, 5]
    assert median.get_ydata()[:2] == pytest.approx([49.95, -24.975])
    for band, share in zip(axes.collections, (0, 5, 25), strict=True):
        heights = band.get_paths()[0].vertices[:, 1]
        low, high = np.percentile(100 * errors, [share, 100 - share])
        assert (heights.max(), heights.min()) == pytest.approx((high, -high / 2))
        assert low in heights.round(9)
    assert sum(bar.get_width() for bar in histogram.patches) == pytest.approx(100)
    (mean, _) = histogram.lines
    assert mean.get_ydata()[0] == pytest.approx(100 * errors.mean() / 4)


def test_binades_of_few_products_are_left_out():
    exact = np.append(np.full(10_000, 4.0), 1024.0)
    axes, _ = error_magnitude(exact, exact, "t").axes
    assert axes.lines[0].get_xdata().tolist() == [2, 3]


def test_equal_errors_are_drawn_as_a_line():
    exact = np.array([1.0, 2.0, 4.0])
    _, histogram = error_magnitude(exact, 1.5 * exact, "t").axes
    assert max(bar.get_width() for bar in histogram.patches) == pytest.approx(100)
    assert histogram.get_ylim()[0] < 50 < histogram.get_ylim()[1]


def test_rejects_products_of_which_none_can_be_drawn():
    with pytest.raises(DataError, match="no pair has a finite product other than 0"):
        error_magnitude(np.zeros(3), np.ones(3), "t")


def test_figures_are_files(tmp_path):
    from accelsim.figures import rendered

    surface = ErrorSurface("u", np.zeros((2, 2)), 0, 2, False, 1)
    assert rendered(error_surfaces([surface])).startswith(b"\x89PNG")
    assert rendered(error_surfaces([surface]), "svg").startswith(b"<?xml")
