using Uniscale.Configuration;

namespace Uniscale.Programs;

/// <summary>Sizes of the model that costs and memory depend on.</summary>
public sealed record ModelShape(
    int Layers,
    int Hidden,
    int Heads,
    int KvHeads,
    int HeadDim,
    int Ffn,
    long Vocabulary,
    int Context,
    bool GatedFfn,
    bool TiedEmbeddings
)
{
    /// <summary>The embedding adds a learned table of positions.</summary>
    public bool LearnedPositions { get; init; }

    /// <summary>Norms have a bias (LayerNorm).</summary>
    public bool NormBias { get; init; }

    /// <summary>Query, key and value projections have a bias.</summary>
    public bool QkvBias { get; init; }

    /// <summary>The attention output projection has a bias.</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>Feed-forward matrices have a bias.</summary>
    public bool FfnBias { get; init; }

    /// <summary>The head gives one number for each token instead of logits.</summary>
    public bool ScoreHead { get; init; }

    /// <summary>Numbers that the head gives for each token.</summary>
    public long HeadOutputs => ScoreHead ? 1 : Vocabulary;

    /// <summary>Blocks in the row: embedding, transformer blocks, head.</summary>
    public int BlockCount => Layers + 2;

    /// <summary>Number of the head's block.</summary>
    public int Head => Layers + 1;

    /// <summary>Whether a block is a transformer block (neither embedding nor head).</summary>
    public bool IsTransformer(int block) => block > 0 && block < Head;
}

/// <summary>Everything a step program is a function of. No tensors, no configuration files.</summary>
public sealed record StepSpecification
{
    /// <summary>Shape of the model.</summary>
    public required ModelShape Model { get; init; }

    /// <summary>Ranks by axis.</summary>
    public required MeshShape Mesh { get; init; }

    /// <summary>Microbatches of one replica in the step.</summary>
    public required int Microbatches { get; init; }

    /// <summary>Sequences in a microbatch.</summary>
    public required int MicrobatchSize { get; init; }

    /// <summary>Name of the pipeline schedule, one of <see cref="Schedules.ScheduleRegistry.Names"/>.</summary>
    public string Schedule { get; init; } = "1f1b";

    /// <summary>Chunks of blocks a stage (schedules that interleave).</summary>
    public int Chunks { get; init; } = 1;

    /// <summary>0: nothing sharded; 1: optimizer state; 2: and gradients; 3: and parameters.</summary>
    public int ZeroStage { get; init; }

    /// <summary>Replicas that share one copy of sharded state; a divisor of data × context.</summary>
    public int ZeroGroup { get; init; } = 1;

    /// <summary>Whether the residual stream is split along the sequence over the tensor axis.</summary>
    public bool SequenceParallel { get; init; }

    /// <summary>What is computed again in backward instead of being kept.</summary>
    public RecomputeKind Recompute { get; init; }

    /// <summary>k of <see cref="RecomputeKind.EveryKth"/>.</summary>
    public int RecomputeEvery { get; init; } = 1;

    /// <summary>Whether the step ends with a checksum of parameters across replicas.</summary>
    public bool Checksum { get; init; }

    /// <summary>What is held and drawn beside the model of the program.</summary>
    public CompanionModels Companions { get; init; } = CompanionModels.None;

    /// <summary>The program only reads the model: forward passes and the sum of the loss, as validation runs it.</summary>
    public bool ForwardOnly { get; init; }

    /// <summary>Bytes of an activation element (2 for bf16, 4 for fp32).</summary>
    public int ActivationBytes { get; init; } = 4;

    /// <summary>Virtual stages: chunks of all stages. Chunk c of stage s is virtual stage c · stages + s.</summary>
    public int VirtualStages => Mesh.Pipeline * Chunks;

    /// <summary>Ranks that hold the same parameters before sharding: data × context.</summary>
    public int ReplicaCount => Mesh.SizeOf(MeshAxis.OfReplicas);

    /// <summary>ZeRO stage that takes effect: 0 where the sharding group has one member.</summary>
    public int Sharding => ZeroGroup > 1 ? ZeroStage : 0;

    /// <summary>Whether the step ends with <see cref="Op.Checksum"/>: it is asked for, and there are replicas to compare.</summary>
    public bool ComparesReplicas => Checksum && ReplicaCount / (Sharding == 3 ? ZeroGroup : 1) > 1;

    /// <summary>Embedding and head share a matrix but lie on different ranks.</summary>
    public bool TiedAcrossStages => Model.TiedEmbeddings && Mesh.Pipeline > 1;

    /// <summary>Whether the whole gradient of a block is kept until the end of the step even under ZeRO-2 and 3, because the copy on the
    /// other stage must be added to it first.</summary>
    public bool ReducesOnce(int block) => Sharding < 2 || (TiedAcrossStages && !Model.IsTransformer(block));

    /// <summary>What a block computes again: <see cref="RecomputeKind.None"/>, <see cref="RecomputeKind.Selective"/> or
    /// <see cref="RecomputeKind.Block"/>. With every-kth these are transformer blocks 1, 1 + k, 1 + 2k …</summary>
    public RecomputeKind RecomputationOf(int block)
    {
        if (!Model.IsTransformer(block))
            return RecomputeKind.None;
        if (Recompute != RecomputeKind.EveryKth)
            return Recompute;
        return (block - 1) % RecomputeEvery == 0 ? RecomputeKind.Block : RecomputeKind.None;
    }
}
