using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Model;

namespace Uniscale.Training.Feeding;

/// <summary>
/// The answers of <see cref="SyntheticSource"/> as if they had been drawn, for checks of layouts: log-probabilities and advantages come out
/// of a counter, so that ratios lie on
/// both sides of what is clipped.
/// </summary>
/// <param name="configuration">The run.</param>
/// <param name="vocabulary">Entries to draw from.</param>
public sealed class SyntheticRollouts(RunConfiguration configuration, long vocabulary) : IRolloutSource
{
    private readonly SyntheticSource _answers = new(configuration, vocabulary);

    /// <summary>The drawn data of an objective.</summary>
    public static ISequenceSource Of(RunConfiguration configuration, long vocabulary) =>
        configuration.Objective.DrawsAnswers()
            ? new SyntheticRollouts(configuration, vocabulary)
            : new SyntheticSource(configuration, vocabulary);

    /// <inheritdoc/>
    public string Fingerprint => _answers.Fingerprint;

    /// <inheritdoc/>
    public double Temperature => configuration.Rollout.Temperature;

    /// <inheritdoc/>
    public double KlWeight => configuration.Objective == ObjectiveKind.Grpo ? configuration.Grpo.Beta : 0;

    /// <inheritdoc/>
    public bool CountsAnswers =>
        (configuration.Objective == ObjectiveKind.Grpo ? configuration.Grpo.Mean : configuration.Ppo.Mean) == PolicyMean.Answer;

    /// <inheritdoc/>
    public StepPlan StepAt(long consumedTokens) => _answers.StepAt(consumedTokens);

    /// <inheritdoc/>
    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents) => _answers.Read(step, index, tokens, documents);

    /// <inheritdoc/>
    public bool HasMarks => true;

    /// <inheritdoc/>
    public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks) => _answers.ReadMarks(step, index, marks);

    /// <inheritdoc/>
    public int ReadColumns(StepPlan step, long index, Span<double> columns)
    {
        int context = step.Context,
            answers = 0;
        int[] tokens = new int[context + 1];
        int[] documents = new int[context + 1];
        var marks = new TokenMarks[context + 1];
        Read(step, index, tokens, documents);
        ReadMarks(step, index, marks);
        var numbers = new Random(unchecked((int)(index * 7919 + configuration.Train.Seed)));
        for (int first = 0; first < context;)
        {
            int end = first;
            while (end < context && documents[end + 1] == documents[first])
                end++;
            int[] learned = [.. Enumerable.Range(first, end - first).Where(place => marks[place + 1].HasFlag(TokenMarks.Learned))];
            double advantage = (2 * numbers.NextDouble()) - 1;
            foreach (int place in learned)
            {
                columns[((int)RolloutColumn.Weight * context) + place] = CountsAnswers ? 1.0 / learned.Length : 1;
                columns[((int)RolloutColumn.Old * context) + place] = -Math.Log(vocabulary) + numbers.NextDouble() - 0.5;
                columns[((int)RolloutColumn.Reference * context) + place] = -Math.Log(vocabulary) + numbers.NextDouble() - 0.5;
                columns[((int)RolloutColumn.Advantage * context) + place] = advantage;
                columns[((int)RolloutColumn.Value * context) + place] = numbers.NextDouble() - 0.5;
                columns[((int)RolloutColumn.Return * context) + place] = advantage + numbers.NextDouble();
            }
            answers += learned.Length > 0 ? 1 : 0;
            first = end + 1;
        }
        return answers;
    }
}
