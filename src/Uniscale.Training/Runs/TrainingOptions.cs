using Uniscale.Training.Runtime;

namespace Uniscale.Training.Runs;

/// <summary>What a start of training is asked for besides the configuration.</summary>
public sealed record TrainingOptions
{
    /// <summary>Continue from the newest good checkpoint.</summary>
    public bool Resume { get; init; }

    /// <summary>Save and end after this step, to be continued.</summary>
    public long StopAfter { get; init; } = long.MaxValue;

    /// <summary>File for the measured timeline of some steps; null: none.</summary>
    public string? TracePath { get; init; }

    /// <summary>File for the same with kernels, whose table is told at the end; null: none.</summary>
    public string? ProfilePath { get; init; }

    /// <summary>What the rank has to record for these.</summary>
    internal Recording Recording =>
        ProfilePath is not null ? Recording.Kernels
        : TracePath is not null ? Recording.Instructions
        : Recording.None;

    /// <summary>Ranks of this machine, which share its processors.</summary>
    public int LocalRanks { get; init; } = 1;
}
