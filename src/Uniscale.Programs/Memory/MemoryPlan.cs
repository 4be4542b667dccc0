namespace Uniscale.Programs.Memory;

/// <summary>
/// Bytes that a rank needs in a step, part by part. With n parameters on the rank and a ZeRO group of g (Rajbhandari et al., 2020, with
/// gradients accumulated in
/// fp32): parameters e·n (stage 3: e·n/g), gradients 4·n (stages 2 and 3: 4·n/g), moments 8·n and, where parameters are not fp32, master
/// weights
/// 4·n (stages 1 to 3: /g). e is the size of a parameter.
/// </summary>
public sealed record MemoryPlan
{
    private const int Fp32 = 4;

    /// <summary>Parameters between steps.</summary>
    public required long ParameterBytes { get; init; }

    /// <summary>Parameters of the models that are only read (<see cref="CompanionModels"/>).</summary>
    public required long FrozenBytes { get; init; }

    /// <summary>Parameters, gradients and optimizer state of the critic; 0: there is none.</summary>
    public required long CriticBytes { get; init; }

    /// <summary>
    /// What exists while answers are drawn, when there are no activations: keys and values, and under ZeRO-3 the whole parameters of the
    /// stage.
    /// </summary>
    public required long DrawingBytes { get; init; }

    /// <summary>Gradient accumulation.</summary>
    public required long GradientBytes { get; init; }

    /// <summary>Moments and master weights.</summary>
    public required long OptimizerBytes { get; init; }

    /// <summary>What is whole for a while only: under ZeRO-3 the parameters of the block that computes and of the next, under ZeRO-2 and 3
    /// the gradient of
    /// the block that goes backward and of the one that is being reduced.</summary>
    public required long TransientBytes { get; init; }

    /// <summary>Peak of live activations (<see cref="ActivationMeter"/>).</summary>
    public required long ActivationBytes { get; init; }

    /// <summary>All of it.</summary>
    public long TotalBytes =>
        ParameterBytes
        + FrozenBytes
        + CriticBytes
        + GradientBytes
        + OptimizerBytes
        + Math.Max(TransientBytes + ActivationBytes, DrawingBytes);

    /// <summary>
    /// Bytes that a checkpoint has of each trained parameter: moments, the fp32 weight and, where the model computes with another, that
    /// one.
    /// </summary>
    /// <param name="spec">The layout.</param>
    public static int CheckpointedBytes(StepSpecification spec) => 3 * Fp32 + (spec.ActivationBytes == Fp32 ? 0 : spec.ActivationBytes);

    /// <summary>Plan of one rank; ranks of the same stage have the same.</summary>
    /// <param name="spec">The layout. Parameters have the size of <see cref="StepSpecification.ActivationBytes"/>.</param>
    /// <param name="program">The rank's program.</param>
    public static MemoryPlan Of(StepSpecification spec, StepProgram program)
    {
        int stage = spec.Mesh.CoordinateOf(program.Rank).Pipeline;
        var blocks = BlocksOf(spec, stage);
        var state = StateOf(spec, blocks);
        var (score, companions) = (Scoring(spec), spec.Companions);
        var ofScore = BlocksOf(score, stage);
        var critic = StateOf(score, ofScore);
        long count = blocks.Sum(block => block.Count),
            scoreCount = ofScore.Sum(block => block.Count);
        long largestTwo = blocks.Select(block => block.Count).OrderDescending().Take(2).Sum();
        long largestTwoSharded = blocks.Where(block => !block.Once).Select(block => block.Count).OrderDescending().Take(2).Sum();
        return new MemoryPlan
        {
            ParameterBytes = state.Parameters,
            GradientBytes = state.Gradients,
            OptimizerBytes = state.Optimizer,
            FrozenBytes =
                companions.References * state.Parameters
                + companions.Scorers * Share(score, scoreCount, fromStage: 3) * spec.ActivationBytes,
            CriticBytes = companions.HasCritic ? critic.Parameters + critic.Gradients + critic.Optimizer : 0,
            DrawingBytes =
                companions.Drawn == 0
                    ? 0
                    : CacheBytes(spec, stage, DrawnTokens(spec)) + (spec.Sharding == 3 ? count * spec.ActivationBytes : 0),
            TransientBytes =
                (spec.Sharding == 3 ? largestTwo * spec.ActivationBytes : 0) + (spec.Sharding >= 2 ? largestTwoSharded * Fp32 : 0),
            ActivationBytes = ActivationMeter.PeakOf(spec, program),
        };
    }

    /// <summary>The same layout of a model whose head gives a score.</summary>
    public static StepSpecification Scoring(StepSpecification spec) => spec with { Model = spec.Model with { ScoreHead = true } };

    /// <summary>Bytes of the keys and values of so many tokens, on a rank of a stage.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="stage">Pipeline stage.</param>
    /// <param name="tokens">Tokens of all sequences together.</param>
    public static long CacheBytes(StepSpecification spec, int stage, long tokens)
    {
        var m = spec.Model;
        long layers = StagePartition.Of(spec).BlocksOf(stage).Count(m.IsTransformer),
            heads = Math.Max(1, m.KvHeads / spec.Mesh.Tensor);
        return tokens * layers * 2 * heads * m.HeadDim * spec.ActivationBytes;
    }

    /// <summary>All answers that are drawn together. The cache of one which has just ended is still there.</summary>
    private static long DrawnTokens(StepSpecification spec) =>
        (spec.Companions.Drawn + 1) * (long)CacheRoom.For(spec.Companions.DrawnTokens, spec.Model.Context);

    private static (long Count, bool Once)[] BlocksOf(StepSpecification spec, int stage) =>
        [
            .. StagePartition.Of(spec).BlocksOf(stage).Select(block => (ParameterCount.OfBlock(spec, block), spec.ReducesOnce(block))),
        ];

    private static (long Parameters, long Gradients, long Optimizer) StateOf(StepSpecification spec, (long Count, bool Once)[] blocks)
    {
        long count = blocks.Sum(block => block.Count),
            keptWhole = blocks.Where(block => block.Once).Sum(block => block.Count);
        int optimizer = spec.ActivationBytes == Fp32 ? 2 * Fp32 : 3 * Fp32;
        return (
            Share(spec, count, fromStage: 3) * spec.ActivationBytes,
            (keptWhole + Share(spec, count - keptWhole, fromStage: 2)) * Fp32,
            Share(spec, count, fromStage: 1) * optimizer
        );
    }

    private static long Share(StepSpecification spec, long count, int fromStage) =>
        spec.Sharding >= fromStage ? (count + spec.ZeroGroup - 1) / spec.ZeroGroup : count;
}
