using Uniscale.Configuration.Schema;

namespace Uniscale.Experiments.Sweeps;

/// <summary>What runs of a sweep are ranked by; less is better.</summary>
public enum SweepMetric
{
    /// <summary>Mean loss over all validation sources, in nats.</summary>
    Validation,

    /// <summary>Mean training loss of the last ten steps, in nats.</summary>
    Training,
}

/// <summary>How runs that promise nothing are stopped early.</summary>
public enum StoppingKind
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>A run that is worse than the median of those before it, at the same step.</summary>
    Median,

    /// <summary>Successive halving: at each rung the better share goes on.</summary>
    Halving,
}

/// <summary>Where a value is drawn from; exactly one of the keys is given.</summary>
public sealed record DistributionSection
{
    /// <summary>Lowest and highest value, evenly in the logarithm.</summary>
    public IReadOnlyList<double> Log { get; init; } = [];

    /// <summary>Lowest and highest value, evenly.</summary>
    public IReadOnlyList<double> Uniform { get; init; } = [];

    /// <summary>Lowest and highest whole number, both included.</summary>
    public IReadOnlyList<long> Integer { get; init; } = [];

    /// <summary>Values, each as likely.</summary>
    public IReadOnlyList<string> Choice { get; init; } = [];
}

/// <summary>Runs with drawn values.</summary>
public sealed record RandomSection
{
    /// <summary>Runs of a sweep at most, drawn or in a grid.</summary>
    public const int MostRuns = 100_000;

    /// <summary>Number of runs.</summary>
    [Range(1, MostRuns)]
    public int Runs { get; init; } = 12;

    /// <summary>Seed; run i of a seed is the same however many runs there are.</summary>
    [Range(0)]
    public long Seed { get; init; } = 1;

    /// <summary>Distribution by key of the configuration.</summary>
    public IReadOnlyDictionary<string, DistributionSection> Values { get; init; } = new Dictionary<string, DistributionSection>();
}

/// <summary>When runs are stopped early.</summary>
public sealed record StoppingSection
{
    /// <summary>The rule.</summary>
    public StoppingKind Rule { get; init; } = StoppingKind.None;

    /// <summary>Step at which runs are judged first.</summary>
    [Range(1)]
    public long After { get; init; } = 100;

    /// <summary>Steps between judgements (median); 0: as <see cref="After"/>.</summary>
    [Range(0)]
    public long Every { get; init; }

    /// <summary>Runs that must have come to a step before others are judged by them (median).</summary>
    [Range(1)]
    public int Runs { get; init; } = 3;

    /// <summary>One run of so many goes on at a rung, and rungs are so many times further apart (halving).</summary>
    [Range(2, 100)]
    public int Factor { get; init; } = 2;
}

/// <summary>Many runs of one base configuration: the file of <c>uniscale sweep</c>.</summary>
public sealed record SweepConfiguration
{
    /// <summary>Name of the sweep; its directory is <c>runs/NAME</c> unless <see cref="Directory"/> says otherwise.</summary>
    public string Name { get; init; } = "sweep";

    /// <summary>Directory of the sweep, which holds a run directory for every run. Default: <c>runs/NAME</c>.</summary>
    public string? Directory { get; init; }

    /// <summary>Configuration that all runs start from; relative to this file.</summary>
    public string Base { get; init; } = "";

    /// <summary>Values that all runs have, by key of the configuration.</summary>
    public IReadOnlyDictionary<string, string> Set { get; init; } = new Dictionary<string, string>();

    /// <summary>Values by key; every combination is a run.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Grid { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Runs with drawn values.</summary>
    public RandomSection? Random { get; init; }

    /// <summary>Runs one by one: values by key.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, string>> List { get; init; } = [];

    /// <summary>What runs are ranked by.</summary>
    public SweepMetric Metric { get; init; } = SweepMetric.Validation;

    /// <summary>When runs are stopped early.</summary>
    public StoppingSection Stop { get; init; } = new();

    /// <summary>Processors for all runs together; 0: those of this machine.</summary>
    [Range(0)]
    public int Cores { get; init; }

    /// <summary>Ranks of a run.</summary>
    [Range(1)]
    public int Ranks { get; init; } = 1;

    /// <summary>Compute threads of a rank.</summary>
    [Range(1)]
    public int Threads { get; init; } = 1;

    /// <summary>Ranks of a run are processes under mpirun, not threads of one process.</summary>
    public bool Processes { get; init; }

    /// <summary>
    /// CUDA devices that are divided among the runs, one a rank; empty: those that this machine shows, where the runs compute on them.
    /// </summary>
    public IReadOnlyList<string> Devices { get; init; } = [];

    /// <summary>Host file whose hosts are divided among the runs, by their slots; runs need <see cref="Processes"/>.</summary>
    public string? Hosts { get; init; }

    /// <summary>More options of sbatch, for <c>uniscale sweep --submit slurm</c>.</summary>
    public IReadOnlyList<string> Slurm { get; init; } = [];

    /// <summary>Times that a run which failed goes on from its newest checkpoint before it counts as failed.</summary>
    [Range(0)]
    public int Restarts { get; init; } = 1;
}
