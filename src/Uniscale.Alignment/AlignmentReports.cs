using Uniscale.Alignment.Prompts;
using Uniscale.Alignment.Rollouts;
using Uniscale.Alignment.Samples;
using Uniscale.Evaluation.Generation;
using Uniscale.Telemetry;
using Uniscale.Training;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;
using Uniscale.Training.Validation;

namespace Uniscale.Alignment;

/// <summary>What is told of a run besides its steps: warnings at its start, and what held-out prompts are answered.</summary>
public static class AlignmentReports
{
    /// <summary>The callbacks of a rank, for every objective.</summary>
    public static IEnumerable<ITrainingCallback> Callbacks(RankRuntime runtime, RunTelemetry telemetry)
    {
        if (runtime.Rollouts is not RolloutSource rollouts)
            return ValidationReports.Callbacks(runtime, telemetry);
        var configuration = runtime.Configuration;
        ITrainingCallback[] always = [new Warner(telemetry, rollouts), new AnswerRecorder(configuration, rollouts)];
        if (configuration.Data.Validation.Count == 0)
            return always;
        var held = configuration.Data.Validation.ToDictionary(
            section => section.Name,
            section => PromptSource.Open(section, configuration, TrainingData.VocabularyOf(configuration))
        );
        return
        [
            .. always,
            .. ValidationReports.Callbacks(runtime, telemetry, name => Answer(runtime, rollouts, held[name])),
        ];
    }

    /// <summary>How held-out prompts are answered with the likeliest tokens. Collective.</summary>
    private static Dictionary<string, double> Answer(RankRuntime runtime, RolloutSource rollouts, PromptSource source)
    {
        var (configuration, all) = (runtime.Configuration, source.Prompts);
        int count = configuration.Evaluation.Sequences is > 0 and var most ? Math.Min(most, all.Count) : all.Count;
        // Spread evenly, the same at every validation.
        var asked = Enumerable.Range(0, count).Select(i => all[(int)((long)i * all.Count / count)]).ToList();
        var reader = rollouts.Reader;
        var answers = new AnswerSampler(runtime, reader.Stops).Draw(
            asked,
            _ => [SamplingOptions.Greedy],
            configuration.Rollout.MaxTokens,
            configuration.Rollout.Batch
        );
        reader.Reward(runtime, answers);
        return BatchMeasures.OfAnswers(answers, reader.Rules);
    }

    private sealed class Warner(RunTelemetry telemetry, RolloutSource rollouts) : ITrainingCallback
    {
        public void Started(RankRuntime runtime)
        {
            if (runtime.World.Rank > 0)
                return;
            foreach (string warning in rollouts.Warnings)
                telemetry.Note(new Note(runtime.Position.Step, "rollouts", warning, NoteLevel.Warning));
        }
    }
}
