using Uniscale.Configuration;

namespace Uniscale.Programs;

/// <summary>From the configuration of a run to what a step program is a function of.</summary>
public static class SpecificationBuilder
{
    /// <summary>Microbatches a stage that a pipeline gets at least where <c>batch.micro</c> is left to us: the bubble is then below a fifth.</summary>
    private const int MicrobatchesPerStage = 4;

    /// <summary>The layout of a configuration on a number of ranks.</summary>
    /// <param name="config">The resolved configuration.</param>
    /// <param name="ranks">World size; 0: as many as the layout names (parallel.data must then be set).</param>
    /// <param name="vocabulary">Entries of the tokenizer, used where <c>model.vocabulary</c> is 0.</param>
    /// <param name="globalBatch">Sequences of the step, where a ramp or a phase says other than <c>batch.global</c>; 0: that.</param>
    /// <exception cref="UserErrorException">The layout cannot work, with what to change.</exception>
    public static StepSpecification Build(RunConfiguration config, int ranks = 0, int vocabulary = 0, int globalBatch = 0)
    {
        var parallel = config.Parallel;
        var mesh = MeshOf(parallel, ranks);
        int group = parallel.Zero.Group > 0 ? parallel.Zero.Group : mesh.Data * mesh.Context;
        var (size, count) = Microbatches(config.Batch, globalBatch > 0 ? globalBatch : config.Batch.Global, mesh);
        if ((long)config.Model.Layers * count > Limits.Passes)
            throw new UserErrorException($"{config.Model.Layers} layers × {count} microbatches is more than {Limits.Passes} passes, too long for the program of one step: raise batch.micro or the number of replicas, or lower batch.global.");
        var spec = new StepSpecification
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
            Recompute = (Recomputation)parallel.Recompute,
            RecomputeEvery = parallel.RecomputeEvery,
            Checksum = config.Train.ChecksumEvery > 0,
            ActivationBytes = config.Train.Precision == PrecisionKind.Bf16 ? 2 : 4,
        };
        try
        {
            SpecificationRules.Check(spec);
        }
        catch (LayoutException refused)
        {
            throw new UserErrorException(refused.Message, refused);
        }
        return spec;
    }

    /// <summary>The mesh of a layout on a number of ranks.</summary>
    /// <param name="parallel">The layout.</param>
    /// <param name="ranks">World size; 0: as many as the layout names.</param>
    public static MeshShape MeshOf(ParallelSection parallel, int ranks = 0)
    {
        int replica = parallel.ReplicaRanks;
        if (ranks is < 0 or > Limits.Ranks) throw new UserErrorException($"{ranks} is not a number of ranks: give 1 to {Limits.Ranks}.");
        string axes = $"tensor {parallel.Tensor} × pipeline {parallel.Pipeline} × context {parallel.Context}";
        if (ranks == 0) ranks = replica * Math.Max(1, parallel.Data);
        if (ranks % replica != 0)
            throw new UserErrorException($"{ranks} ranks cannot be divided into replicas of {axes} = {replica}: start {(ranks + replica - 1) / replica * replica} ranks or change parallel");
        int data = parallel.Data > 0 ? parallel.Data : ranks / replica;
        if (data * replica != ranks)
            throw new UserErrorException($"data {data} × {axes} makes {data * replica} ranks but there are {ranks}: set parallel.data to {ranks / replica}, or to 0 to follow the ranks");
        return new MeshShape(parallel.Pipeline, data, parallel.Context, parallel.Tensor) { Order = parallel.Order.Select(AxisOf).ToArray() };
    }

    /// <summary>Sizes of a model, with what the section leaves to us filled in.</summary>
    public static ModelShape ShapeOf(ModelSection model, int vocabulary = 0)
    {
        int entries = model.Vocabulary > 0 ? model.Vocabulary : vocabulary;
        if (entries == 0) throw new UserErrorException("the size of the vocabulary is not known: set model.vocabulary or data.tokenizer");
        return ModelShapes.Of(model, entries);
    }

    private static (int Size, int Count) Microbatches(BatchSection batch, int global, MeshShape mesh)
    {
        if (global % mesh.Data != 0)
            throw new UserErrorException($"a global batch of {global} sequences cannot be divided over {mesh.Data} replicas: set batch.global to {(global + mesh.Data - 1) / mesh.Data * mesh.Data}");
        int share = global / mesh.Data;
        int size = batch.Micro > 0 ? batch.Micro : DefaultSize(share, mesh.Pipeline);
        if (share % size != 0)
            throw new UserErrorException($"{share} sequences of a replica cannot be divided into microbatches of {size}: set batch.micro to a divisor of {share}");
        return (size, share / size);
    }

    /// <summary>The largest size that divides the share of a replica and leaves a pipeline enough microbatches; 1 where none does.</summary>
    private static int DefaultSize(int share, int stages)
    {
        int count = stages == 1 ? 1 : Math.Min(share, MicrobatchesPerStage * stages);
        while (share % count != 0) count++;
        return share / count;
    }

    private static Axis AxisOf(string name) => name switch
    {
        "pp" => Axis.Pipeline,
        "dp" => Axis.Data,
        "cp" => Axis.Context,
        "tp" => Axis.Tensor,
        _ => throw new UserErrorException($"parallel.order names an axis '{name}': choose from pp, dp, cp, tp"),
    };
}
