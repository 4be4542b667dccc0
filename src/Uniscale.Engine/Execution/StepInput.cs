using System.Collections.ObjectModel;
using Uniscale.Engine.Model;
using Uniscale.Kernels.Optimizer;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>This replica's microbatches of one step.</summary>
public interface IStepBatch : IDisposable
{
    /// <summary>Microbatches of the step.</summary>
    int Count { get; }

    /// <summary>
    /// What the loss is a mean over, of this rank's share and all microbatches: targets that take part in it, or comparisons of answers.
    /// </summary>
    long ValidTokens { get; }

    /// <summary>
    /// Digest of the samples read, summed modulo 2^64; 0 on ranks that hold a later part of the sequences, so that the sum over a stage's
    /// ranks is
    /// the digest of the global batch under every layout.
    /// </summary>
    ulong Digest { get; }

    /// <summary>Names of what the loss measures besides itself, the same on all ranks; each is a mean as the loss is one.</summary>
    IReadOnlyList<string> Measures => [];

    /// <summary>Sums of these for each microbatch that this rank speaks for, fp64; once its forward passes are done.</summary>
    IEnumerable<Tensor> Measured => [];

    /// <summary>Domains that sequences may be of; 0: they are not told apart.</summary>
    int DomainCount { get; }

    /// <summary>Domain of each sequence of a microbatch, from 0.</summary>
    IReadOnlyList<int> RowDomains(int microbatch);

    /// <summary>Targets on this rank that take part in the loss, by domain, over all microbatches.</summary>
    IReadOnlyList<long> DomainTokens { get; }

    /// <summary>Tokens, targets, positions and documents of a microbatch; the batch owns the tensors.</summary>
    MicrobatchContext this[int microbatch] { get; }
}

/// <summary>What a step needs besides its program.</summary>
/// <param name="Batch">This replica's data.</param>
/// <param name="AdamW">Constants of the update; its gradient scale is set by clipping.</param>
/// <param name="Clip">Bound of the global gradient norm; 0: none.</param>
/// <param name="StopAsked">This rank was asked to stop; one such rank stops all.</param>
/// <param name="Step">Number of the step, from 1.</param>
/// <param name="SaveAsked">This rank was asked to save; one such rank makes all save.</param>
public sealed record StepInput(
    IStepBatch Batch,
    AdamWStep AdamW,
    double Clip,
    bool StopAsked = false,
    long Step = 0,
    bool SaveAsked = false
)
{
    /// <summary>
    /// Whether the update is applied, by loss and gradient norm; every rank must say the same of the same numbers. By default they have to
    /// be finite.
    /// </summary>
    public Func<double, double, bool> Applies { get; init; } = (loss, norm) => double.IsFinite(loss) && double.IsFinite(norm);
}

/// <summary>The step's one decision, the same on all ranks.</summary>
/// <param name="Loss">Mean loss of the valid tokens of the global batch.</param>
/// <param name="GradientNorm">Norm of all gradients before clipping.</param>
/// <param name="GradientScale">What clipping multiplies gradients with.</param>
/// <param name="Applied">The weights were updated; otherwise the step changed nothing.</param>
/// <param name="Stop">Some rank was asked to stop.</param>
/// <param name="DataDigest">Digest of the tokens of the global batch, the same for every layout.</param>
public sealed record StepDecision(double Loss, double GradientNorm, double GradientScale, bool Applied, bool Stop, ulong DataDigest)
{
    /// <summary>Some rank was asked to save after this step.</summary>
    public bool Save { get; init; }

    /// <summary>
    /// Mean loss of a valid token of the global batch by domain, NaN for a domain without one; empty: domains are not told apart.
    /// </summary>
    public IReadOnlyList<double> DomainLosses { get; init; } = [];

    /// <summary>What the loss measured besides itself, by name.</summary>
    public IReadOnlyDictionary<string, double> Measures { get; init; } = ReadOnlyDictionary<string, double>.Empty;
}

/// <summary>What forward passes alone found.</summary>
/// <param name="LossSum">Sum of the losses of tokens, or of comparisons, over all ranks.</param>
/// <param name="Count">How many.</param>
/// <param name="Measures">Sums of what the loss measured besides itself, by name.</param>
public sealed record StepEvaluation(double LossSum, long Count, IReadOnlyDictionary<string, double> Measures)
{
    /// <summary>Nothing read yet.</summary>
    public static StepEvaluation Empty { get; } = new(0, 0, new Dictionary<string, double>());

    /// <summary>Both together.</summary>
    public StepEvaluation Plus(StepEvaluation other) =>
        new(
            LossSum + other.LossSum,
            Count + other.Count,
            other.Measures.ToDictionary(measure => measure.Key, measure => measure.Value + Measures.GetValueOrDefault(measure.Key))
        );

    /// <summary>Means over what was counted.</summary>
    public IReadOnlyDictionary<string, double> Means =>
        Measures.ToDictionary(measure => measure.Key, measure => measure.Value / Math.Max(1, Count));
}
