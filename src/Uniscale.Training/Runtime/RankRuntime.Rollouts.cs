using System.Runtime.InteropServices;
using Uniscale.Data;
using Uniscale.Engine.Devices;
using Uniscale.Training.Feeding;
using static TorchSharp.torch;

namespace Uniscale.Training.Runtime;

/// <summary>Who reads a batch of drawn answers.</summary>
public enum RolloutReader
{
    /// <summary>The weights that are trained.</summary>
    Trained,

    /// <summary>The model that the run started from.</summary>
    Reference,

    /// <summary>The critic.</summary>
    Critic,
}

/// <summary>
/// What runs need that draw their own data: log-probabilities of tokens as they are, and steps of which not every sequence holds something.
/// </summary>
public sealed partial class RankRuntime
{
    /// <summary>The data, where the run draws it itself; null: it reads it.</summary>
    public IRolloutSource? Rollouts => _data as IRolloutSource;

    /// <summary>Whether the run may be saved or ended behind the next step: a batch that was drawn is learned from to its end.</summary>
    public bool MayEndAfterNextStep => Rollouts?.EndsBatch(Data.StepAt(Position.ConsumedTokens)) ?? true;

    /// <summary>
    /// Whether the state as it is can be gone on from: between batches, and with the critic as far as the policy. A bad step that ends the
    /// run may leave it otherwise.
    /// </summary>
    public bool MaySave =>
        Rollouts is not { } rollouts
        || (rollouts.BeginsBatch(Data.StepAt(Position.ConsumedTokens)) && (Critic is null || Critic.Position.Step == Position.Step));

    /// <summary>
    /// What the head finds at every place of a step's sequences: log π of the target, or of the critic its value; [sequences of the plan,
    /// context], 0 where the step has none. The
    /// forward pass is that of training, on the same microbatches, so that the weights that drew a batch find the very numbers again.
    /// Collective; the same on all ranks.
    /// </summary>
    /// <param name="plan">The step, prepared.</param>
    /// <param name="reader">Who reads.</param>
    public double[] Read(StepPlan plan, RolloutReader reader)
    {
        if (reader == RolloutReader.Critic)
            return (Critic ?? throw new InvalidOperationException("The run has no critic.")).Read(plan, RolloutReader.Trained);
        var fed = Fed(plan);
        var (specification, program, view) = _programs.ForEvaluation(fed);
        using var batch = new SequenceBatch(Data, fed, view);
        if (reader == RolloutReader.Reference)
            (_reference ?? throw new InvalidOperationException("The run has no reference.")).Read(fed, batch);
        else
            _executor.Evaluate(specification, program, batch);
        return Collect(batch, view, plan);
    }

    /// <summary>
    /// The reward model's score at every place of some sequences, as <see cref="Read"/> gives its numbers. Collective; the same on all
    /// ranks.
    /// </summary>
    /// <param name="source">The sequences.</param>
    /// <param name="plan">Which, no more than those of a step.</param>
    /// <param name="isHeldOut">The scores of the model that nothing is learned from.</param>
    public double[] ReadScores(IRolloutSource source, StepPlan plan, bool isHeldOut = false)
    {
        var model =
            (isHeldOut ? _heldOutModel : _rewardModel) ?? throw new InvalidOperationException("The run has no such reward model.");
        var fed = Fed(plan, source.FilledSequences(plan));
        var (_, _, view) = model.ProgramFor(fed);
        using var batch = new SequenceBatch(source, fed, view);
        model.Read(fed, batch);
        return Collect(batch, view, plan);
    }

    /// <summary>
    /// The sequences of a step that hold something, as many as the layout takes together. A pipeline gets all: its bubble depends on their
    /// number.
    /// </summary>
    private StepPlan Fed(StepPlan plan) => Rollouts is { } rollouts ? Fed(plan, rollouts.FilledSequences(plan)) : plan;

    private StepPlan Fed(StepPlan plan, int filled)
    {
        if (Specification.Mesh.Pipeline > 1)
            return plan;
        int unit = Specification.Mesh.Data * Math.Max(1, Configuration.Batch.Micro);
        return plan with { Sequences = Math.Min(plan.Sequences, (Math.Max(1, filled) + unit - 1) / unit * unit) };
    }

    /// <summary>Puts what the ranks have found into its places. One rank of a tensor group speaks for it.</summary>
    private double[] Collect(SequenceBatch batch, BatchView view, StepPlan plan)
    {
        using var all = zeros([plan.Sequences, plan.Context], ScalarType.Float64);
        var numbers = MemoryMarshal.Cast<byte, double>(all.bytes);
        if (Model.Groups.Tensor.Rank == 0)
        {
            foreach (var (microbatch, found) in batch.Found)
            {
                float[] own = Model.Link.Read<float>(found);
                for (int i = 0; i < own.Length; i++)
                {
                    var (row, place) = Math.DivRem(i, view.Places.Count);
                    numbers[(batch.SequenceOf(microbatch, row) * plan.Context) + (int)view.Places[place]] = own[i];
                }
            }
        }
        World.HostGroup.AllReduce(TensorBuffer.Of(all)).Wait();
        return numbers.ToArray();
    }
}
