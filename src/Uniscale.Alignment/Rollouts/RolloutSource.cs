using System.Diagnostics;
using System.Globalization;
using Uniscale.Alignment.Prompts;
using Uniscale.Alignment.Rewards;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Objectives;
using Uniscale.Evaluation.Generation;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Alignment.Rollouts;

/// <summary>
/// The data of a run that learns from answers of its own. The first step of a batch draws answers with the weights as they are, rewards them, and reads their log-probabilities
/// under these weights and under the reference; the updates of the batch then learn from them. Everything is a function of (weights, seed, position).
/// </summary>
/// <param name="configuration">The run.</param>
/// <param name="prompts">Which prompt comes when.</param>
/// <param name="reader">Rewards answers; owned.</param>
public sealed class RolloutSource(RunConfiguration configuration, PromptOrder prompts, AnswerReader reader) : IRolloutSource, IDisposable
{
    /// <summary>
    /// How far log π of the same weights may lie apart, mean over tokens. The same microbatches go through the same code, so on a CPU it is 0; a device may add in another order.
    /// </summary>
    private const double Rounding = 1e-4;

    private readonly RolloutSection _rollout = configuration.Rollout;
    private readonly KlController _kl = new(configuration.Grpo.Beta, configuration.Grpo.KlTarget, configuration.Grpo.KlHorizon);
    private RolloutBatch? _batch;
    private Dictionary<string, double> _measures = [];

    /// <summary>Rewards answers.</summary>
    internal AnswerReader Reader => reader;

    /// <summary>What the user should know before the run begins.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <inheritdoc/>
    public string Fingerprint => prompts.Fingerprint;

    /// <inheritdoc/>
    public double Temperature => _rollout.Temperature;

    /// <inheritdoc/>
    public double KlWeight => _kl.Beta;

    /// <inheritdoc/>
    public bool CountsAnswers => configuration.Grpo.Mean == PolicyMean.Answer;

    /// <inheritdoc/>
    public bool HasMarks => true;

    /// <summary>Tokens of the whole run, as positions count them: those that its steps have room for.</summary>
    public long RunTokens => configuration.Train.Steps * StepTokens;

    private long StepTokens => (long)configuration.Batch.Global * configuration.Model.Context;

    /// <inheritdoc/>
    public StepPlan StepAt(long consumedTokens)
    {
        var (global, context) = (configuration.Batch.Global, configuration.Model.Context);
        return new StepPlan(0, consumedTokens / context, global, context, consumedTokens, 0, RunTokens);
    }

    /// <inheritdoc/>
    public bool EndsBatch(StepPlan step) => Within(step) == _rollout.Updates - 1;

    /// <inheritdoc/>
    public int FilledSequences(StepPlan step) => BatchOf(step).PacksOf(Minibatch(step));

    /// <inheritdoc/>
    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents) => BatchOf(step).Read(Minibatch(step), (int)(index - step.FirstSample), tokens, documents, []);

    /// <inheritdoc/>
    public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks) => BatchOf(step).Read(Minibatch(step), (int)(index - step.FirstSample), [], [], marks);

    /// <inheritdoc/>
    public int ReadColumns(StepPlan step, long index, Span<double> columns) =>
        BatchOf(step).ReadColumns(Minibatch(step), (int)(index - step.FirstSample), columns, CountsAnswers);

    /// <inheritdoc/>
    public void Prepare(RankRuntime runtime, StepPlan step)
    {
        if (Within(step) > 0) return;
        long start = Stopwatch.GetTimestamp();
        _batch = new RolloutBatch(Number(step) / _rollout.Updates, Draw(runtime, Number(step) / _rollout.Updates), _rollout.Minibatches, configuration.Model.Context);
        foreach (var answer in _batch.Answers) reader.Reward(answer);
        var advantages = _batch.Answers.Chunk(configuration.Grpo.Group).Select(group => GroupAdvantages.Of([.. group.Select(answer => answer.Reward)], configuration.Grpo.Scale));
        foreach (var (answer, advantage) in _batch.Answers.Zip(advantages.SelectMany(group => group)))
            answer.Advantages = [.. Enumerable.Repeat(advantage, answer.Tokens.Length)];
        double drawing = Stopwatch.GetElapsedTime(start).TotalSeconds;
        ReadProbabilities(runtime, step);
        _measures = Measure(drawing);
        if (runtime.Position.Updates == 0) CheckReference(runtime.Position.Step);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The first update of a batch sees other log-probabilities than the ones that the batch was read with.</exception>
    public StepDecision Done(RankRuntime runtime, StepPlan step, StepDecision decision)
    {
        double apart = decision.Measures[PolicyLoss.LogRatio];
        if (Within(step) == 0 && double.IsFinite(apart) && apart > Rounding)
        {
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
                $"The first update of a batch finds log-probabilities {apart:0.0e+0} from those that the batch was read with by the same weights (step {runtime.Position.Step + 1}): forward passes do not repeat themselves."));
        }
        if (EndsBatch(step)) _kl.Move(_measures[BatchMeasures.Divergence], _batch!.Answers.Count);
        return decision with { Measures = new Dictionary<string, double>([.. _measures, .. decision.Measures]) };
    }

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<string, string>> ToExtra() => _kl.ToExtra();

    /// <inheritdoc/>
    public void Restore(IReadOnlyDictionary<string, string> extra)
    {
        _batch = null;
        _kl.Restore(extra);
    }

    /// <inheritdoc/>
    public void Dispose() => reader.Dispose();

    private IReadOnlyList<DrawnAnswer> Draw(RankRuntime runtime, long batch)
    {
        long first = batch * _rollout.Prompts;
        var asked = Enumerable.Range(0, _rollout.Prompts).Select(i => prompts[first + i]).ToList();
        return new AnswerSampler(runtime, reader.Stops).Draw(asked, i => Sampling(first + i), _rollout.MaxTokens, _rollout.Batch);
    }

    /// <summary>How the answers to prompt <paramref name="number"/> of the run are drawn: each has a seed of its own.</summary>
    private IReadOnlyList<SamplingOptions> Sampling(long number) => [.. Enumerable.Range(0, configuration.Grpo.Group)
        .Select(i => new SamplingOptions(_rollout.Temperature, _rollout.TopP, unchecked((long)Mixing.Key((ulong)configuration.Train.Seed, (ulong)number, (ulong)i))))];

    private void ReadProbabilities(RankRuntime runtime, StepPlan first)
    {
        for (int minibatch = 0; minibatch < _rollout.Minibatches; minibatch++)
        {
            var step = StepAt(first.ConsumedTokens + (minibatch * StepTokens));
            _batch!.Deal(minibatch, runtime.ReadProbabilities(step, ofReference: false), (answer, found) => answer.Old = found);
            _batch.Deal(minibatch, runtime.ReadProbabilities(step, ofReference: true), (answer, found) => answer.Reference = found);
        }
    }

    private Dictionary<string, double> Measure(double drawing)
    {
        var answers = _batch!.Answers;
        var groups = answers.Chunk(configuration.Grpo.Group).ToList();
        return new(
        [
            .. BatchMeasures.OfProbabilities(answers, KlWeight),
            .. BatchMeasures.OfAnswers(answers, reader.Rules),
            new("frac_reward_zero_std", groups.Average(group => group.All(answer => answer.Reward == group[0].Reward) ? 1.0 : 0)),
            new("rollout/seconds", drawing),
            new("rollout/tokens_per_second", answers.Sum(answer => answer.Tokens.Length) / drawing),
        ]);
    }

    /// <summary>Before the first update the policy is the reference.</summary>
    private void CheckReference(long step)
    {
        double apart = _batch!.Answers.Average(answer => answer.Old.Zip(answer.Reference, (old, reference) => Math.Abs(old - reference)).Average());
        if (apart > Rounding)
        {
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
                $"The weights are those of the reference, but their log-probabilities are {apart:0.0e+0} apart (step {step + 1}): the two forward passes differ."));
        }
    }

    private long Number(StepPlan step) => step.ConsumedTokens / StepTokens;

    private int Within(StepPlan step) => (int)(Number(step) % _rollout.Updates);

    private int Minibatch(StepPlan step) => Within(step) % _rollout.Minibatches;

    private RolloutBatch BatchOf(StepPlan step) => _batch is { } batch && batch.Number == Number(step) / _rollout.Updates
        ? batch
        : throw new InvalidOperationException($"The batch of step {Number(step) + 1} is not drawn: a run goes on at the beginning of a batch.");
}
