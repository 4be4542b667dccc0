using Uniscale.Configuration.Schema;
using Uniscale.Planning.Clusters;

namespace Uniscale.Planning.Failures;

/// <summary>What a failure takes down.</summary>
public enum FailingComponent
{
    /// <summary>One accelerator; its node leaves the job.</summary>
    Gpu,

    /// <summary>A machine.</summary>
    Node,

    /// <summary>A switch; all machines below it leave the job.</summary>
    Switch,

    /// <summary>A pod; all its machines leave the job.</summary>
    Pod,

    /// <summary>The job alone: software, storage, planned stops. No machine is lost.</summary>
    Job,
}

/// <summary>Failure rates of a cluster and what recovery takes (configs/failures/NAME.yaml).</summary>
public sealed record FailureFile
{
    /// <summary>Name.</summary>
    public string Name { get; init; } = "";

    /// <summary>One line about it.</summary>
    public string Summary { get; init; } = "";

    /// <summary>Causes with their rates.</summary>
    public IReadOnlyList<CauseSection> Causes { get; init; } = [];

    /// <summary>What recovery takes.</summary>
    public RecoverySection Recovery { get; init; } = new();

    /// <summary>Nodes that fail more often than others.</summary>
    public MixtureSection BadNodes { get; init; } = new();

    /// <summary>Nodes that compute slower than others: the factor is by how much longer a step takes with one of them.</summary>
    public MixtureSection SlowNodes { get; init; } = new();
}

/// <summary>A cause: so many events on so many components in so many days.</summary>
public sealed record CauseSection
{
    /// <summary>Name.</summary>
    public string Name { get; init; } = "";

    /// <summary>What fails.</summary>
    public FailingComponent Component { get; init; }

    /// <summary>Events seen.</summary>
    [Range(0)]
    public double Events { get; init; }

    /// <summary>Components that were watched.</summary>
    [Range(0, MinimumExclusive = true)]
    public double Components { get; init; } = 1;

    /// <summary>Days they were watched.</summary>
    [Range(0, MinimumExclusive = true)]
    public double Days { get; init; } = 1;

    /// <summary>GPUs of the watched job, for causes of the job that grow with it; 0: they do not.</summary>
    [Range(0)]
    public double Gpus { get; init; }

    /// <summary>Where the figures come from.</summary>
    public string Source { get; init; } = "";
}

/// <summary>What recovery takes.</summary>
public sealed record RecoverySection
{
    /// <summary>From the failure to its detection.</summary>
    public Figure Detect { get; init; } = new();

    /// <summary>From the detection to the first step, where its four parts are not told apart.</summary>
    public Figure Restart { get; init; } = new();

    /// <summary>Ending the ranks that are left, and swapping machines.</summary>
    public Figure Drain { get; init; } = new();

    /// <summary>Starting ranks and making their communicators anew.</summary>
    public Figure Communicators { get; init; } = new();

    /// <summary>Loading the last checkpoint.</summary>
    public Figure Reload { get; init; } = new();

    /// <summary>First steps until they are as fast as before: what they take more.</summary>
    public Figure WarmUp { get; init; } = new();

    /// <summary>Until a node that failed is back among the spares.</summary>
    public Figure Repair { get; init; } = new();
}

/// <summary>A share of nodes that differ by a factor.</summary>
public sealed record MixtureSection
{
    /// <summary>Share of nodes.</summary>
    [Range(0, 1)]
    public double Share { get; init; }

    /// <summary>By how much.</summary>
    [Range(1)]
    public double Factor { get; init; } = 1;
}
