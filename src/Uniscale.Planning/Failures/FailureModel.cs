using Uniscale.Configuration;

namespace Uniscale.Planning.Failures;

/// <summary>A kind of failure of a job.</summary>
/// <param name="Name">Cause.</param>
/// <param name="PerSecond">Rate over the whole job.</param>
/// <param name="Nodes">Machines that leave the job with it.</param>
public readonly record struct FailureKind(string Name, double PerSecond, int Nodes);

/// <summary>How a job of a given size fails, and what each recovery takes. Times in seconds.</summary>
public sealed record FailureModel
{
    /// <summary>Kinds of failure.</summary>
    public required IReadOnlyList<FailureKind> Kinds { get; init; }

    /// <summary>Machines of the job.</summary>
    public required int Nodes { get; init; }

    /// <summary>From failure to detection.</summary>
    public required double Detect { get; init; }

    /// <summary>From detection to the first step.</summary>
    public required double Restart { get; init; }

    /// <summary>Parts of <see cref="Restart"/>, which they add up to; null: they are not told apart.</summary>
    public RestartSplit? RestartParts { get; init; }

    /// <summary>Until a failed machine is back; null: unknown, and machines are taken never to run out.</summary>
    public double? Repair { get; init; }

    /// <summary>Machines in reserve.</summary>
    public int Spares { get; init; }

    /// <summary>Whether the job goes on with fewer replicas where no spare is left.</summary>
    public bool Elastic { get; init; }

    /// <summary>Machines of one replica: what the job shrinks by.</summary>
    public int NodesOfReplica { get; init; } = 1;

    /// <summary>Share of machines that fail more often.</summary>
    public double BadShare { get; init; }

    /// <summary>By how much.</summary>
    public double BadFactor { get; init; } = 1;

    /// <summary>Share of machines that are slow.</summary>
    public double SlowShare { get; init; }

    /// <summary>How much longer a step takes with one of them.</summary>
    public double SlowFactor { get; init; } = 1;

    /// <summary>Rate of all failures.</summary>
    public double PerSecond => Kinds.Sum(kind => kind.PerSecond);

    /// <summary>Mean time between failures.</summary>
    public double Mtbf => 1 / PerSecond;

    /// <summary>Model of a job from published rates.</summary>
    /// <param name="file">The rates.</param>
    /// <param name="gpus">GPUs of the job.</param>
    /// <param name="nodeGpus">GPUs of a machine.</param>
    /// <param name="switchGpus">GPUs below a switch.</param>
    /// <param name="podGpus">GPUs of a pod.</param>
    public static FailureModel Of(FailureFile file, int gpus, int nodeGpus, int switchGpus = 32, int podGpus = 3072)
    {
        var kinds = file
            .Causes.Select(cause =>
            {
                int covered = cause.Component switch
                {
                    FailingComponent.Gpu => 1,
                    FailingComponent.Node => nodeGpus,
                    FailingComponent.Switch => switchGpus,
                    FailingComponent.Pod => podGpus,
                    _ => gpus,
                };
                double components =
                    cause.Component == FailingComponent.Job
                        ? (cause.Gpus > 0 ? gpus / cause.Gpus : 1)
                        : Math.Ceiling((double)gpus / covered);
                int nodes = cause.Component == FailingComponent.Job ? 0 : (int)Math.Ceiling((double)Math.Min(covered, gpus) / nodeGpus);
                return new FailureKind(cause.Name, cause.Events / cause.Components / (cause.Days * 86_400) * components, nodes);
            })
            .ToArray();
        var parts = Split(file);
        return new FailureModel
        {
            Kinds = kinds,
            Nodes = (gpus + nodeGpus - 1) / nodeGpus,
            Detect = Needed(file.Recovery.Detect, file, "recovery.detect"),
            Restart = parts?.Total ?? Needed(file.Recovery.Restart, file, "recovery.restart"),
            RestartParts = parts,
            Repair = FailureCatalog.Seconds(file.Recovery.Repair, $"{file.Name}: recovery.repair"),
            BadShare = file.BadNodes.Share,
            BadFactor = file.BadNodes.Factor,
            SlowShare = file.SlowNodes.Share,
            SlowFactor = file.SlowNodes.Factor,
        };
    }

    /// <summary>The same job with another mean time between failures, every kind in proportion.</summary>
    /// <param name="seconds">Mean time between failures.</param>
    /// <exception cref="UserErrorException">It is not above 0.</exception>
    public FailureModel WithMtbf(double seconds)
    {
        if (!(seconds > 0 && double.IsFinite(seconds)))
            throw new UserErrorException(
                $"A mean time between failures of {seconds} s is none: give a duration above 0, for example --mtbf 8h..25h."
            );
        double scale = Mtbf / seconds;
        return this with { Kinds = [.. Kinds.Select(kind => kind with { PerSecond = kind.PerSecond * scale })] };
    }

    /// <summary>The parts of a restart, all of them or none.</summary>
    private static RestartSplit? Split(FailureFile file)
    {
        var recovery = file.Recovery;
        (string Key, Clusters.Figure Figure)[] figures =
        [
            ("drain", recovery.Drain),
            ("communicators", recovery.Communicators),
            ("reload", recovery.Reload),
            ("warm_up", recovery.WarmUp),
        ];
        double?[] seconds = [.. figures.Select(part => FailureCatalog.Seconds(part.Figure, $"{file.Name}: recovery.{part.Key}"))];
        if (Array.TrueForAll(seconds, part => part is null))
            return null;
        if (Array.IndexOf(seconds, null) is >= 0 and var unknown)
            throw new UserErrorException(
                $"{file.Name}: recovery.{figures[unknown].Key} is unknown, and other parts of a restart are given: give all four, or recovery.restart alone."
            );
        if (FailureCatalog.Seconds(recovery.Restart, $"{file.Name}: recovery.restart") is not null)
            throw new UserErrorException($"{file.Name}: recovery.restart is given, and so are its parts: take one of them out.");
        return new RestartSplit(seconds[0]!.Value, seconds[1]!.Value, seconds[2]!.Value, seconds[3]!.Value);
    }

    private static double Needed(Clusters.Figure figure, FailureFile file, string key) =>
        FailureCatalog.Seconds(figure, $"{file.Name}: {key}")
        ?? throw new UserErrorException($"{file.Name}: {key} is unknown, and a simulation needs it: give its value with a source.");
}
