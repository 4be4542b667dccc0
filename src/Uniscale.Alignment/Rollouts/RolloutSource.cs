using System.Diagnostics;
using System.Globalization;
using Uniscale.Alignment.Prompts;
using Uniscale.Alignment.Rewards;
using Uniscale.Alignment.Samples;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Objectives;
using Uniscale.Evaluation.Generation;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Alignment.Rollouts;

/// <summary>
/// The data of a run that learns from answers of its own. The first step of a batch draws answers with the weights as they are, rewards
/// them, and reads their log-probabilities
/// under these weights and under the reference; the updates of the batch then learn from them. Everything is a function of (weights, seed,
/// position).
/// </summary>
/// <param name="configuration">The run.</param>
/// <param name="prompts">Which prompt comes when.</param>
/// <param name="reader">Rewards answers; owned.</param>
/// <param name="text">Text that is learned beside the answers; owned; null: none.</param>
public sealed class RolloutSource(RunConfiguration configuration, PromptOrder prompts, AnswerReader reader, TextStream? text = null)
    : IRolloutSource,
        IDisposable
{
    /// <summary>
    /// How far log π of the same weights may lie apart, mean over tokens. The same microbatches go through the same code, so on a CPU it is
    /// 0; a device may add in another order.
    /// </summary>
    private const double Rounding = 1e-4;

    private readonly RolloutSection _rollout = configuration.Rollout;
    private readonly PolicyMethod _method = PolicyMethod.Of(configuration);
    private readonly TextRows? _text = text is null ? null : new TextRows(text, configuration);
    private RolloutBatch? _batch;
    private Dictionary<string, double> _measures = [];

    /// <summary>Rewards answers.</summary>
    internal AnswerReader Reader => reader;

    /// <summary>Prompts of files whose answers are written down.</summary>
    internal IReadOnlyList<SamplePrompt> Samples { get; init; } = [];

    /// <summary>What the user should know before the run begins.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <inheritdoc/>
    public string Fingerprint { get; } = text is null ? prompts.Fingerprint : $"{prompts.Fingerprint} {text.Fingerprint}";

    /// <inheritdoc/>
    public double Temperature => _rollout.Temperature;

    /// <inheritdoc/>
    public double KlWeight => _method.LossWeight;

    /// <inheritdoc/>
    public bool CountsAnswers => _method.CountsAnswers;

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
    public bool BeginsBatch(StepPlan step) => Within(step) == 0;

    /// <inheritdoc/>
    public bool EndsBatch(StepPlan step) => Within(step) == _rollout.Updates - 1;

    /// <inheritdoc/>
    public bool TeachesCriticAlone(StepPlan step) => _method.TeachesCriticAlone(Number(step) / _rollout.Updates);

    /// <inheritdoc/>
    public int FilledSequences(StepPlan step) => BatchOf(step).PacksOf(Minibatch(step)) + (_text?.Sequences ?? 0);

    /// <inheritdoc/>
    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
    {
        if (TextRow(step, index) is { } row)
            _text!.Read(Number(step), row, tokens, documents);
        else
            BatchOf(step).Read(Minibatch(step), (int)(index - step.FirstSample), tokens, documents, []);
    }

    /// <inheritdoc/>
    public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks)
    {
        if (TextRow(step, index) is not null)
            marks.Fill(TokenMarks.Learned);
        else
            BatchOf(step).Read(Minibatch(step), (int)(index - step.FirstSample), [], [], marks);
    }

    /// <inheritdoc/>
    public int ReadColumns(StepPlan step, long index, Span<double> columns)
    {
        if (TextRow(step, index) is not { } row)
            return BatchOf(step).ReadColumns(Minibatch(step), (int)(index - step.FirstSample), columns, CountsAnswers);
        _text!.ReadColumns(Number(step), row, columns, BatchOf(step).CountOf(Minibatch(step), CountsAnswers));
        return 0;
    }

    /// <inheritdoc/>
    public void Prepare(RankRuntime runtime, StepPlan step)
    {
        if (Within(step) > 0)
            return;
        long start = Stopwatch.GetTimestamp();
        _batch = new RolloutBatch(
            Number(step) / _rollout.Updates,
            Draw(runtime, Number(step) / _rollout.Updates),
            _rollout.Minibatches,
            configuration.Model.Context
        );
        reader.Reward(runtime, _batch.Answers);
        double drawing = Stopwatch.GetElapsedTime(start).TotalSeconds;
        StepPlan StepOf(int minibatch) => StepAt(step.ConsumedTokens + (minibatch * StepTokens));
        ReadProbabilities(runtime, StepOf);
        _method.Judge(runtime, _batch, StepOf);
        _measures = Measure(drawing);
        if (runtime.Position.Updates == 0)
            CheckReference(runtime.Position.Step);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The first update of a batch sees other log-probabilities than the ones that the batch
    /// was read with.</exception>
    public StepDecision Done(RankRuntime runtime, StepPlan step, StepDecision decision)
    {
        // Where the critic alone learns, nothing is known of ratios.
        double apart = decision.Measures.GetValueOrDefault(PolicyLoss.LogRatio);
        if (Within(step) == 0 && double.IsFinite(apart) && apart > Rounding)
        {
            throw new InvalidOperationException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The first update of a batch finds log-probabilities {apart:0.0e+0} from those that the batch was read with by the same weights (step {runtime.Position.Step + 1}): forward passes do not repeat themselves."
                )
            );
        }
        if (EndsBatch(step) && !TeachesCriticAlone(step))
            _method.Kl.Move(_measures[BatchMeasures.Divergence], _batch!.Answers.Count);
        return decision with { Measures = new Dictionary<string, double>([.. _measures, .. decision.Measures]) };
    }

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<string, string>> ToExtra() => _method.ToExtra();

    /// <inheritdoc/>
    public void Restore(IReadOnlyDictionary<string, string> extra)
    {
        _batch = null;
        _method.Restore(extra);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        reader.Dispose();
        text?.Dispose();
    }

    private IReadOnlyList<DrawnAnswer> Draw(RankRuntime runtime, long batch)
    {
        long first = batch * _rollout.Prompts;
        var asked = Enumerable.Range(0, _rollout.Prompts).Select(i => prompts[first + i]).ToList();
        return new AnswerSampler(runtime, reader.Stops).Draw(asked, i => Sampling(first + i), _rollout.MaxTokens, _rollout.Batch);
    }

    /// <summary>How the answers to prompt <paramref name="number"/> of the run are drawn: each has a seed of its own.</summary>
    private IReadOnlyList<SamplingOptions> Sampling(long number) =>
        [
            .. Enumerable
                .Range(0, configuration.AnswersPerPrompt)
                .Select(i => new SamplingOptions(
                    _rollout.Temperature,
                    _rollout.TopP,
                    unchecked((long)Mixing.Key((ulong)configuration.Train.Seed, (ulong)number, (ulong)i))
                )),
        ];

    private void ReadProbabilities(RankRuntime runtime, Func<int, StepPlan> stepOf)
    {
        for (int minibatch = 0; minibatch < _rollout.Minibatches; minibatch++)
        {
            _batch!.Deal(minibatch, runtime.Read(stepOf(minibatch), RolloutReader.Trained), (answer, found) => answer.Old = found);
            _batch.Deal(minibatch, runtime.Read(stepOf(minibatch), RolloutReader.Reference), (answer, found) => answer.Reference = found);
        }
    }

    private Dictionary<string, double> Measure(double drawing)
    {
        var answers = _batch!.Answers;
        return new([
            .. BatchMeasures.OfProbabilities(answers, _method.Kl.Beta),
            .. BatchMeasures.OfAnswers(answers, reader.Rules),
            .. _method.Measure(_batch),
            new("rollout/seconds", drawing),
            new("rollout/tokens_per_second", answers.Sum(answer => answer.Tokens.Length) / drawing),
        ]);
    }

    /// <summary>Before the first update the policy is the reference.</summary>
    private void CheckReference(long step)
    {
        double apart = _batch!.Answers.Average(answer =>
            answer.Old.Zip(answer.Reference, (old, reference) => Math.Abs(old - reference)).Average()
        );
        if (apart > Rounding)
        {
            throw new InvalidOperationException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The weights are those of the reference, but their log-probabilities are {apart:0.0e+0} apart (step {step + 1}): the two forward passes differ."
                )
            );
        }
    }

    /// <summary>Which row of text a sequence is; null: it is none.</summary>
    private int? TextRow(StepPlan step, long index)
    {
        long row = index - step.FirstSample - BatchOf(step).PacksOf(Minibatch(step));
        return _text is not null && row >= 0 && row < _text.Sequences ? (int)row : null;
    }

    private long Number(StepPlan step) => step.ConsumedTokens / StepTokens;

    private int Within(StepPlan step) => (int)(Number(step) % _rollout.Updates);

    private int Minibatch(StepPlan step) => Within(step) % _rollout.Minibatches;

    private RolloutBatch BatchOf(StepPlan step) =>
        _batch is { } batch && batch.Number == Number(step) / _rollout.Updates
            ? batch
            : throw new InvalidOperationException(
                $"The batch of step {Number(step) + 1} is not drawn: a run goes on at the beginning of a batch."
            );
}
