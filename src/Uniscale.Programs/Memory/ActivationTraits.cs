namespace Uniscale.Programs.Memory;

/// <summary>What kernels of other software keep for the backward pass besides what ours do (Korthikanti et al., 2022, section 4).</summary>
/// <param name="Scores">Attention keeps the matrix of its scores; selective recomputation then drops it, and nothing else.</param>
/// <param name="Dropout">Masks of dropout are kept, a byte an element.</param>
public readonly record struct ActivationTraits(bool Scores, bool Dropout);
