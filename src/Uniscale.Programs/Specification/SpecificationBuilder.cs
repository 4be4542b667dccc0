using Uniscale.Configuration;

namespace Uniscale.Programs;

/// <summary>From the configuration of a run to what a step program is a function of.</summary>
public static class SpecificationBuilder
{
    /// <summary>The layout of a configuration on a number of ranks. Passes <see cref="LayoutGate.CheckWorld"/>.</summary>
    /// <param name="config">The resolved configuration.</param>
    /// <param name="ranks">World size; 0: as many as the layout names, with one replica where it names none.</param>
    /// <param name="vocabulary">Entries of the tokenizer, used where <c>model.vocabulary</c> is 0.</param>
    /// <param name="globalBatch">Sequences of the step, where a ramp or a phase says other than <c>batch.global</c>; 0: that.</param>
    /// <exception cref="UserErrorException">The layout cannot work, with what to change.</exception>
    public static StepSpecification Build(RunConfiguration config, int ranks = 0, int vocabulary = 0, int globalBatch = 0)
    {
        var parallel = config.Parallel;
        if (ranks == 0)
            ranks = parallel.ReplicaRanks * Math.Max(1, parallel.Data);
        int replicas = LayoutGate.CheckWorld(config, ranks);
        var mesh = new MeshShape(parallel.Pipeline, replicas, parallel.Context, parallel.Tensor)
        {
            Order = [.. parallel.Order.Select(letters => MeshAxis.Find(letters)!.Axis)],
        };
        int group = parallel.Zero.Group > 0 ? parallel.Zero.Group : mesh.SizeOf(MeshAxis.OfReplicas);
        int sequences = globalBatch > 0 ? globalBatch : config.Batch.Global;
        Require(LayoutRules.Batch("batch", sequences, config.Batch.Micro, replicas));
        var (size, count) = Microbatching.Of(sequences / replicas, config.Batch.Micro, parallel.Pipeline);
        return new StepSpecification
        {
            Model = ShapeOf(config.Model, vocabulary),
            Mesh = mesh,
            Microbatches = count,
            MicrobatchSize = size,
            Schedule = parallel.Schedule,
            Chunks = parallel.Chunks,
            ZeroStage = parallel.Zero.Stage,
            ZeroGroup = parallel.Zero.Stage == 0 ? 1 : group,
            SequenceParallel = parallel.Sequence && mesh.Tensor > 1,
            Recompute = parallel.Recompute,
            RecomputeEvery = parallel.RecomputeEvery,
            Checksum = config.Train.ChecksumEvery > 0,
            Companions = CompanionModels.Of(config, replicas * parallel.Context),
            ActivationBytes = config.Train.Precision == PrecisionKind.Bf16 ? 2 : 4,
        };
    }

    /// <summary>Sizes of a model, with what the section leaves to us filled in.</summary>
    public static ModelShape ShapeOf(ModelSection model, int vocabulary = 0)
    {
        int entries = model.Vocabulary > 0 ? model.Vocabulary : vocabulary;
        if (entries == 0)
            throw new UserErrorException("the size of the vocabulary is not known: set model.vocabulary or data.tokenizer");
        return ModelShapes.Of(model, entries);
    }

    private static void Require(IEnumerable<BrokenRule> rules)
    {
        foreach (var broken in rules)
            throw new UserErrorException(broken.Sentence);
    }
}
