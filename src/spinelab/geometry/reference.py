"""What is usual in people without back pain: published ranges for the sagittal parameters and for the Cobb angle.

Only ranges whose numbers were checked against the publication's own abstract are here; a parameter, age or sex without one has none.
Where a paper gives mean and SD, the range is mean ± 1.96 SD. All come from adults standing; none is a goal of treatment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spinelab.core import Reference

_MAC_THIONG_2011: Final = "Mac-Thiong J-M et al., Eur Spine J 20 Suppl 5:572-577, 2011 (mean ± 2 SD, n = 709)"
_MAC_THIONG_2010: Final = "Mac-Thiong J-M et al., Spine 35:E1193-E1198, 2010 (mean ± 2 SD as published, n = 709)"
_HEY_2021: Final = "Hey HWD et al., Spine 46:E1202-E1210, 2021 (mean ± 1.96 SD, n = 100)"
_YUKAWA_2012: Final = "Yukawa Y et al., Eur Spine J 21:1492-1498, 2012 (mean ± 1.96 SD, n = 1230)"
_YUKAWA_2018: Final = "Yukawa Y et al., Eur Spine J 27:426-432, 2018 (mean ± 1.96 SD, n = 626)"
_AMABILE_2016: Final = "Amabile C et al., Eur Spine J 25:3666-3674, 2016 (mean ± 1.96 SD, n = 69)"
_TPA_2024: Final = (
    "T1 Pelvic and Lumbar Pelvic Angles Normative Values, Spine, 2024, PubMed 39258422 (mean 7.3, its 95 % interval 6.8 to 7.8, n = 472: SD 5.5; ± 1.96 SD)"
)
_KANE_1977: Final = "Kane WJ, Clin Orthop Relat Res 126:43-46, 1977; Scoliosis Research Society"


@dataclass(frozen=True, slots=True)
class _Range:
    low: float
    high: float
    population: str
    source: str
    from_age: float
    below_age: float
    sex: str | None = None

    def holds_for(self, age_years: float | None, sex: str | None) -> bool:
        return age_years is not None and self.from_age <= age_years < self.below_age and self.sex in {None, sex}


def _spread(mean: float, sd: float, population: str, source: str, from_age: float, below_age: float) -> _Range:
    return _Range(round(mean - 1.96 * sd, 1), round(mean + 1.96 * sd, 1), population, source, from_age, below_age)


_CAUCASIAN: Final = "asymptomatic Caucasian adults (men and women, mean age 37)"
_SINGAPORE: Final = "healthy adults who can look straight ahead, Singapore (age 45 ± 16)"
_JAPANESE: Final = "asymptomatic Japanese adults"

_RANGES: Final[dict[str, tuple[_Range, ...]]] = {
    "pi": (_Range(32, 74, _CAUCASIAN, _MAC_THIONG_2011, 18, 120),),
    "pt": (_Range(0, 27, _CAUCASIAN, _MAC_THIONG_2011, 18, 120),),
    "ss": (_Range(24, 55, _CAUCASIAN, _MAC_THIONG_2011, 18, 120),),
    "ssa": (_Range(110, 150, _CAUCASIAN, _MAC_THIONG_2010, 18, 120),),
    "pi_ll": (_spread(-0.9, 13.0, _SINGAPORE, _HEY_2021, 18, 80),),
    "t1_slope": (_spread(21.2, 9.2, _SINGAPORE, _HEY_2021, 18, 80),),
    "cbva": (_spread(1.07, 5.48, _SINGAPORE, _HEY_2021, 18, 80),),
    "tpa": (_spread(7.3, 5.5, "asymptomatic adults, 20-40 years", _TPA_2024, 20, 41),),
    "c2_c7": (
        _spread(8.0, 11.8, f"{_JAPANESE}, 20-29 years", _YUKAWA_2012, 20, 30),
        _spread(13.9, 12.3, f"{_JAPANESE}, 20-79 years", _YUKAWA_2012, 30, 70),
        _spread(19.7, 11.3, f"{_JAPANESE}, 70-79 years", _YUKAWA_2012, 70, 80),
    ),
    "sva": (
        _spread(-8.9, 21.6, "asymptomatic adults, 18-40 years", _AMABILE_2016, 18, 41),
        _spread(3.1, 12.6, f"{_JAPANESE}, 20-79 years", _YUKAWA_2018, 41, 80),
    ),
}

_COBB: Final = Reference(0, 10, "everyone, by definition: a smaller curve is not called scoliosis; 2 to 3 % of adolescents have more", _KANE_1977, 0.97)


def reference_range(name: str, *, unit: str = "deg", age_years: float | None = None, sex: str | None = None) -> Reference | None:
    """Return the range of a parameter of `PARAMETERS` or of a ``cobb_...`` angle in healthy people of this age; ``None`` where none is known.

    A sagittal parameter has none without the age: all sources are adults. ``sex`` (F, M) chooses where a source tells the sexes apart;
    none of those here does (PI, PT and SS do not differ, Mac-Thiong 2011). Ranges are in degrees, for SVA in millimetres; in pixels
    (``unit="px"``) there is none.
    """
    if unit == "px":
        return None
    if name.startswith("cobb_"):
        return _COBB
    fitting = next((r for r in _RANGES.get(name, ()) if r.holds_for(age_years, sex)), None)
    return None if fitting is None else Reference(fitting.low, fitting.high, fitting.population, fitting.source)
