"""Normal or disordered, from an AP and a lateral lumbar radiograph, with very little data.

Question: does this patient have a vertebral slip, and which? Input: one or both films. Output: probabilities; with endplate lines also the slip
of every level in per cent and its Meyerding grade. Source: Gopal and Whitaker, spinal X-ray protocols for data-constrained environments, on
BUU-LSPINE (Klinwichit et al., Appl. Sci. 13:8646, 2023).
"""

from spinelab.tasks.lumbar_xray.task import LumbarXray

TASK = LumbarXray()
