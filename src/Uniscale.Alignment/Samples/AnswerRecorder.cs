using System.Globalization;
using Uniscale.Alignment.Rollouts;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Generation;
using Uniscale.Training;
using Uniscale.Training.Runs;
using Uniscale.Training.Runtime;

namespace Uniscale.Alignment.Samples;

/// <summary>
/// Writes down how the prompts of <c>rollout.samples</c> are answered at its steps and at the last, always with the same random numbers.
/// Answers are written before the checkpoint of their step, so that a run that is killed has them or draws them again.
/// </summary>
/// <param name="configuration">The run.</param>
/// <param name="rollouts">Has the prompts and rewards the answers.</param>
internal sealed class AnswerRecorder(RunConfiguration configuration, RolloutSource rollouts) : ITrainingCallback
{
    private const string FolderName = "alignment";

    /// <summary>The file of a step in a run's directory.</summary>
    public static string FileOf(string run, long step) =>
        Path.Combine(run, FolderName, string.Create(CultureInfo.InvariantCulture, $"answers-{step:D8}.jsonl"));

    /// <inheritdoc/>
    public void Started(RankRuntime runtime)
    {
        if (runtime.Position.Step == 0 && configuration.Rollout.Samples.Steps.Contains(0))
            Record(runtime, 0);
    }

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        if (runtime.IsFinished || configuration.Rollout.Samples.Steps.Contains(outcome.Position.Step))
            Record(runtime, outcome.Position.Step);
    }

    private void Record(RankRuntime runtime, long step)
    {
        var (prompts, reader, rollout) = (rollouts.Samples, rollouts.Reader, configuration.Rollout);
        if (prompts.Count == 0)
            return;
        var answers = new AnswerSampler(runtime, reader.Stops).Draw(
            [.. prompts.Select(prompt => prompt.Prompt)],
            i => [Sampling(prompts[i].Number)],
            rollout.MaxTokens,
            rollout.Batch
        );
        reader.Reward(runtime, answers);
        if (runtime.World.Rank > 0)
            return;
        bool hasScore = configuration.ReadsScores;
        RecordedAnswer.Write(
            FileOf(new RunFolder(configuration).FullPath, step),
            prompts.Zip(answers, (prompt, answer) => RecordedAnswer.Of(prompt, answer, hasScore, reader.TextOf))
        );
    }

    private SamplingOptions Sampling(int number)
    {
        ulong seed = Mixing.Key((ulong)configuration.Train.Seed, Mixing.OfName("answers"), (ulong)number);
        return new SamplingOptions(configuration.Rollout.Temperature, configuration.Rollout.TopP, unchecked((long)seed));
    }
}
