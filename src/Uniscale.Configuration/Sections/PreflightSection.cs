using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>Which starts look at their nodes first.</summary>
public enum PreflightWhen
{
    /// <summary>Those on more than one host: there nodes can be compared, and left out.</summary>
    Auto,

    /// <summary>All.</summary>
    Always,

    /// <summary>None.</summary>
    Never,
}

/// <summary>
/// A look at the nodes before the first step and after each restart: GEMM, memory and links of all ranks at the same time, compared across
/// nodes. It takes about
/// a second.
/// </summary>
public sealed record PreflightSection
{
    /// <summary>Which starts look.</summary>
    public PreflightWhen When { get; init; }

    /// <summary>A rank whose GEMM has less than this share of the median rate of all ranks is slow; 0: none is.</summary>
    [Range(0, 1)]
    public double SlowGemm { get; init; } = 0.75;

    /// <summary>The same for copies in memory, and for the best link of a host, which vary more; 0: none is.</summary>
    [Range(0, 1)]
    public double SlowTransfer { get; init; } = 0.5;
}
