using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Loading;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Torch;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runs;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Validation;

/// <summary>Judges comparisons by the newest weights of a run, on one rank.</summary>
/// <param name="checkpoint">A checkpoint of a run that compares answers.</param>
/// <param name="configuration">The configuration that it was saved with.</param>
public sealed class PreferenceScorer(CheckpointReader checkpoint, RunConfiguration configuration)
{
    /// <summary>Sequences that are read together.</summary>
    private const int Sequences = 8;

    /// <summary>One result for each source, in their order.</summary>
    /// <param name="sources">Shards of comparisons, packed for the run's context.</param>
    /// <param name="vocabulary">Entries of the tokenizer, used where the configuration gives none.</param>
    /// <exception cref="UserErrorException">The run compares no answers, or its weights cannot be read.</exception>
    public IReadOnlyList<ValidationResult> Score(IReadOnlyList<SourceSection> sources, int vocabulary)
    {
        var run = configuration with
        {
            Parallel = new ParallelSection(),
            Batch = new BatchSection { Global = Sequences },
            Train = configuration.Train with { Steps = 1, Tokens = 0, Device = "cpu" },
            Evaluation = configuration.Evaluation with { Sequences = 0 },
            Phases = [],
            Model = configuration.ModelAt(checkpoint.Manifest.ConsumedTokens) with
            {
                Vocabulary = configuration.Model.Vocabulary > 0 ? configuration.Model.Vocabulary : vocabulary,
            },
            Data = new DataSection { Validation = sources },
        };
        TorchThreads.Set(Environment.ProcessorCount);
        using var world = InProcessWorld.Create(1)[0];
        using var runtime = RankRuntime.Create(
            run,
            world,
            new SyntheticSource(run, run.Model.Vocabulary),
            runTokens: (long)Sequences * run.Model.Context
        );
        using var store = new CheckpointStore(Path.GetDirectoryName(checkpoint.Folder)!, world);
        runtime.StartFrom(store, StartingPoint.Of(checkpoint.Folder), begins: true);
        if (configuration.Objective.ReadsReference() && StartingPoint.Read(checkpoint.Manifest.Extra) is { } reference)
        {
            reference.Check();
            runtime.StartFrom(store, reference, begins: false);
        }
        using var validator = new Validator(run, []);
        return validator.Run(runtime, [])!;
    }
}
