using Uniscale.Engine.Execution;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>Whole optimizer steps as they were measured.</summary>
public sealed record StepMeasurement
{
    /// <summary>Name of the configuration.</summary>
    public required string Name { get; init; }

    /// <summary>Trainable numbers of the model.</summary>
    public required long ParameterCount { get; init; }

    /// <summary>Tokens of a step, over all ranks.</summary>
    public required long BatchTokens { get; init; }

    /// <summary>fp32 or bf16.</summary>
    public required string Precision { get; init; }

    /// <summary>The layout in words.</summary>
    public required string Layout { get; init; }

    /// <summary>Ranks.</summary>
    public required int Ranks { get; init; }

    /// <summary>Threads of each rank.</summary>
    public required int Threads { get; init; }

    /// <summary>The processor, and the level of its instructions that the kernels use.</summary>
    public required string Processor { get; init; }

    /// <summary>Load average of the last minute before the steps.</summary>
    public required double LoadAverage { get; init; }

    /// <summary>Seconds of every step, in order.</summary>
    public required IReadOnlyList<double> Seconds { get; init; }

    /// <summary>Their median.</summary>
    public required double MedianSeconds { get; init; }

    /// <summary>Tokens a second at the median.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>Model FLOP/s at the median, recomputation not counted.</summary>
    public required double ModelFlops { get; init; }

    /// <summary>
    /// FLOP/s that all threads together reach with operands from the first-level cache, measured between the steps; null: not on this
    /// device.
    /// </summary>
    public required double? PeakFlops { get; init; }

    /// <summary>Share of that peak.</summary>
    public double? PeakShare => PeakFlops is { } peak ? ModelFlops / peak : null;

    /// <summary>Bytes that C# allocated a step, all threads of the process.</summary>
    public required double ManagedBytes { get; init; }

    /// <summary>Milliseconds a step that the garbage collector held all threads.</summary>
    public required double CollectionMilliseconds { get; init; }

    /// <summary>Highest resident memory of all processes together, steps of the profile not counted.</summary>
    public required long PeakResidentBytes { get; init; }

    /// <summary>Where the time of rank 0 went, from steps of its own after the measured ones.</summary>
    public required StepProfile Profile { get; init; }
}
