import numpy as np

from spinelab.core import Fact, Image, unknown
from spinelab.train import film_scale


def film_with(**stated):
    spacing = stated.pop("spacing", Fact((0.14, 0.14), "DICOM PixelSpacing"))
    return Image(np.zeros((900, 400), np.uint16), spacing_mm=spacing, facts={key: Fact(value, "DICOM") for key, value in stated.items()})


def said(image, **how):
    return film_scale.notes(image, "SVA is", **how)


def test_what_is_said_of_the_scale():
    assert "0.14 mm" in said(film_with())[0]
    assert "in pixels only" in said(film_with(spacing=unknown("absent")))[0]
    both = film_with(PixelSpacing="0.12\\0.12", ImagerPixelSpacing="0.14\\0.14", magnification=1.1)
    assert "a magnification of 1.17" in said(both)[1]
    assert said(both)[2].startswith("Magnification: 1.1")
    by_table = film_with(PixelSpacing="1\\1", ImagerPixelSpacing="0.14\\0.14", spacing=Fact((0.13, 0.13), "films.csv"))
    assert said(by_table) == ("Pixel spacing: 0.13 mm (films.csv).",)
    wide = film_with(spacing=Fact((0.14, 0.2), "header"))
    assert "(rows) x 0.2 mm (columns)" in said(wide)[0]
    assert "1.43 times as wide as it is high" in said(wide)[1]
    assert "if the picture does not look drawn out, the spacing is wrong" in said(wide)[1]
    high = film_with(spacing=Fact((0.48, 0.3), "header"))
    assert "1.60 times as high as it is wide" in said(high)[1]
    assert "does not look flattened" in said(high)[1]
    assert len(said(film_with(spacing=Fact((0.14, 0.1401), "header")))) == 1
    assert len(said(high, angles=False)) == 1, "where no angle is given, none is taken by the spacing"
