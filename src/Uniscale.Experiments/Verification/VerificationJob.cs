using Uniscale.Configuration;
using Uniscale.Launching.Ranks;
using Uniscale.Torch;
using Uniscale.Training.Feeding;

namespace Uniscale.Experiments.Verification;

/// <summary>Runs layouts one after the other, with ranks as threads, or on the processes that mpirun has started.</summary>
/// <param name="configuration">Model, batch, optimizer.</param>
/// <param name="layouts">What is compared with one rank.</param>
/// <param name="isList">The layouts are a list of the catalogue: under mpirun those of other sizes are left out, not refused.</param>
/// <param name="steps">Optimizer steps of each run.</param>
/// <param name="reference">The run of one rank that layouts are compared with; null: the same configuration.</param>
public sealed class VerificationJob(
    RunConfiguration configuration,
    IReadOnlyList<LayoutSpec> layouts,
    bool isList,
    int steps,
    RunConfiguration? reference = null
)
{
    private readonly RunConfiguration _reference = reference ?? configuration;
    private readonly Dictionary<string, RunRecord> _references = [];

    /// <summary>Optimizer steps of each run.</summary>
    public int Steps => steps;

    /// <summary>Runs all; null on ranks that are not the first of a job under mpirun.</summary>
    /// <param name="done">Called after each layout.</param>
    /// <param name="begin">Called once, before the first.</param>
    public IReadOnlyList<LayoutError>? Run(Action<LayoutError> done, Action begin)
    {
        var environment = RankEnvironment.Detect();
        if (!environment.IsLaunched)
        {
            begin();
            return RunAll(layouts, layout => OnThreads(layout, configuration), done);
        }
        IReadOnlyList<LayoutError>? errors = null;
        ProcessRank.Run(
            environment,
            world =>
            {
                if (!isList)
                    RefuseOtherSizes(world.Size);
                if (world.Rank == 0)
                    begin();
                errors = RunAll(
                    layouts.Where(layout => layout.Ranks == world.Size),
                    layout => Verifier(configuration).Run(layout, world),
                    world.Rank == 0 ? done : _ => { }
                );
            },
            RankDevices.Of(configuration)
        );
        return environment.Rank == 0 ? errors : null;
    }

    private List<LayoutError> RunAll(IEnumerable<LayoutSpec> chosen, Func<LayoutSpec, RunRecord> run, Action<LayoutError> done)
    {
        var errors = new List<LayoutError>();
        foreach (var layout in chosen)
        {
            var error = RunOne(layout, run);
            errors.Add(error);
            done(error);
        }
        return errors;
    }

    private LayoutError RunOne(LayoutSpec layout, Func<LayoutSpec, RunRecord> run)
    {
        try
        {
            LayoutVerifier.Check(configuration, layout);
            if (!_references.TryGetValue(layout.Variant, out var reference))
                _references[layout.Variant] = reference = OnThreads(LayoutSpec.Parse(layout.Variant), _reference);
            return LayoutVerifier.Compare(layout, run(layout), reference, VerificationBounds.For(configuration.Train.Precision));
        }
        catch (UserErrorException refusal)
        {
            return LayoutError.Refused(layout, refusal.Message);
        }
    }

    private LayoutVerifier Verifier(RunConfiguration run) => new(run, TrainingData.OpenOrDraw, steps);

    private RunRecord OnThreads(LayoutSpec layout, RunConfiguration run)
    {
        RunRecord? record = null;
        int threads = Math.Max(1, Environment.ProcessorCount / layout.Ranks);
        InProcessLauncher.Run(
            layout.Ranks,
            world =>
            {
                TorchThreads.Set(threads);
                var mine = Verifier(run).Run(layout, world);
                if (world.Rank == 0)
                    record = mine;
            },
            RankDevices.Of(run)
        );
        return record!;
    }

    private void RefuseOtherSizes(int ranks)
    {
        if (layouts.FirstOrDefault(layout => layout.Ranks != ranks) is { } other)
            throw new UserErrorException(
                $"The layout '{other.Text}' needs {other.Ranks} ranks, but mpirun started {ranks}: name layouts of {ranks} ranks with --layouts."
            );
    }
}
