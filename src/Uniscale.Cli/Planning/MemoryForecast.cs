using Uniscale.Configuration;
using Uniscale.Evaluation.Needles;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Search;
using Uniscale.Programs;
using Uniscale.Programs.Memory;
using Uniscale.Telemetry;

namespace Uniscale.Cli.Planning;

/// <summary>
/// What the planner says of the host memory of a run that is about to begin on this machine: by the figures of
/// <see cref="PlanInput.ThisMachine"/> where
/// that file is here, else by those of the machine that the project measures on. Runs on devices have none.
/// </summary>
internal sealed class MemoryForecast
{
    private readonly RunConfiguration _config;
    private readonly int _ranks;
    private readonly bool _threads;
    private readonly Cluster _cluster;
    private readonly Func<RunConfiguration, int, StepSpecification> _specOf;

    private MemoryForecast(RunConfiguration config, int ranks, bool threads)
    {
        (_config, _ranks, _threads) = (config, ranks, threads);
        _cluster = File.Exists(PlanInput.ThisMachine) ? ClusterCatalog.Load(PlanInput.ThisMachine) : HostAccount.Uncalibrated;
        _specOf = PlanInput.SpecOf(config, ranks);
    }

    /// <summary>The forecast of a run; null: it trains on devices.</summary>
    /// <param name="config">The run.</param>
    /// <param name="ranks">Ranks of the job.</param>
    /// <param name="threads">Whether they are threads of this process.</param>
    public static MemoryForecast? Of(RunConfiguration config, int ranks, bool threads) =>
        config.Train.Device == "cpu" ? new(config, ranks, threads) : null;

    /// <summary>Highest resident bytes of the process that holds a rank.</summary>
    public double BytesOfProcess(int rank) =>
        _threads ? Most(_config, 0, _ranks, HostBytes.Expected) : Most(_config, rank, 1, HostBytes.Expected);

    /// <summary>Refuses ranks of this machine that its memory cannot hold, whatever the allocator does.</summary>
    /// <param name="first">World rank of the first.</param>
    /// <param name="count">Ranks on this machine.</param>
    /// <exception cref="UserErrorException">It cannot; the nearest layout that fits is named.</exception>
    public void Check(int first, int count)
    {
        if (!_config.Train.CheckMemory)
            return;
        var limit = HostMemory.Limit();
        double needed = Most(_config, first, count, HostBytes.Least);
        if (needed <= limit.Bytes)
            return;
        var nearest = NearestLayout.Of(_config, _ranks, limit.Bytes, changed => Most(changed, first, count, HostBytes.Expected));
        string ranks = count == 1 ? "one rank" : $"{count} ranks";
        throw new UserErrorException(
            $"This run needs at least {Units.Bytes((long)needed)} for {ranks} on this machine, but {limit.Source} is {Units.Bytes(limit.Bytes)}: "
                + (
                    nearest is null
                        ? "no layout of as many ranks fits; take a smaller model or batch, or more machines"
                        : $"the nearest layout that fits is {string.Join(' ', nearest.Settings.Select(setting => $"--set {setting}"))} ({Units.Bytes((long)nearest.Bytes)})"
                )
                + "; --set train.check_memory=false tries it all the same."
        );
    }

    /// <summary>The most that any phase and batch of the run asks for.</summary>
    private double Most(RunConfiguration config, int first, int count, HostBytes which) =>
        Shapes(config)
            .Max(shape =>
            {
                var spec = _specOf(shape.Config, shape.Sequences);
                double training = new HostAccount(spec, _cluster, config.Checkpoint.Async, _threads).Of(first, count, which);
                return training + (which == HostBytes.Expected ? NeedleBytes(shape.Config, spec, first, count) : 0);
            });

    /// <summary>
    /// Keys and values of the needle tests between steps, whose memory is of other sizes than that of training. Beside the texts that are
    /// read at a time there are the one that ended last and the beginning that they share.
    /// </summary>
    private static double NeedleBytes(RunConfiguration config, StepSpecification spec, int first, int count)
    {
        if (!config.Evaluation.Tasks.Contains("needle"))
            return 0;
        int length = config.Model.Context;
        long tokens = (NeedleTest.TextsAtOnce(length) + 2L) * length;
        return Enumerable
            .Range(first, count)
            .Sum(rank => (double)MemoryPlan.CacheBytes(spec, spec.Mesh.CoordinateOf(rank).Pipeline, tokens));
    }

    private static IEnumerable<(RunConfiguration Config, int Sequences)> Shapes(RunConfiguration config)
    {
        if (config.Phases.Count == 0)
            return Ramp(config, config.Batch, config.Model.Context);
        return config.Phases.SelectMany(phase => Ramp(config, phase.Batch ?? config.Batch, phase.Context ?? config.Model.Context));
    }

    private static IEnumerable<(RunConfiguration, int)> Ramp(RunConfiguration config, BatchSection batch, int context) =>
        BatchRamp
            .Of(batch, context)
            .Select(piece => (config with { Model = config.Model with { Context = context }, Batch = batch }, piece.Sequences))
            .Distinct();
}
