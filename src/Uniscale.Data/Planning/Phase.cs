namespace Uniscale.Data;

/// <summary>One phase as planned: what it feeds, in which batches, and the settings that training takes from it.</summary>
public sealed class Phase
{
    private readonly SourceRun?[] _runs;

    internal Phase(
        PhaseSettings settings,
        int number,
        long firstSample,
        long startTokens,
        PhaseSteps steps,
        Interleaving interleaving,
        SourceRun?[] runs
    )
    {
        Settings = settings;
        Number = number;
        FirstSample = firstSample;
        StartTokens = startTokens;
        Steps = steps;
        Interleaving = interleaving;
        _runs = runs;
    }

    /// <summary>Number of the phase, from 0.</summary>
    public int Number { get; }

    /// <summary>What is set for its steps.</summary>
    public PhaseSettings Settings { get; }

    /// <summary>First sample; samples are numbered through the whole run.</summary>
    public long FirstSample { get; }

    /// <summary>Samples of the phase, a whole number of steps.</summary>
    public long SampleCount => Steps.SampleCount;

    /// <summary>Tokens fed before the phase.</summary>
    public long StartTokens { get; }

    /// <summary>Tokens of the phase.</summary>
    public long Tokens => SampleCount * Settings.Context;

    /// <summary>The steps of the phase and their batches.</summary>
    public PhaseSteps Steps { get; }

    /// <summary>How samples are dealt to sources.</summary>
    public Interleaving Interleaving { get; }

    /// <summary>Samples that a source gives in the phase.</summary>
    public long SamplesOf(int source) => _runs[source]?.SampleCount ?? 0;

    /// <summary>What the phase takes from a source; null where it takes nothing.</summary>
    internal SourceRun? RunOf(int source) => _runs[source];
}

/// <summary>Settings of a phase, where it is silent those of the run.</summary>
public sealed record PhaseSettings
{
    /// <summary>Name of the phase.</summary>
    public required string Name { get; init; }

    /// <summary>Tokens in a sequence.</summary>
    public required int Context { get; init; }

    /// <summary>Peak learning rate.</summary>
    public required double Lr { get; init; }

    /// <summary>Last learning rate as a share of the peak.</summary>
    public required double FinalRatio { get; init; }

    /// <summary>Share of the phase spent warming up.</summary>
    public required double WarmupRatio { get; init; }

    /// <summary>Weight decay of its updates.</summary>
    public required double WeightDecay { get; init; }

    /// <summary>Base of the rotary angles.</summary>
    public required double RopeBase { get; init; }

    /// <summary>Names of validation sources; empty: all.</summary>
    public required IReadOnlyList<string> Evaluate { get; init; }
}
