namespace Uniscale.Configuration;

/// <summary>Rules of the tasks that a run asks its model. Whether the tasks' files are there is known where they are read.</summary>
internal static class EvaluationRules
{
    public static IEnumerable<(string Path, string Sentence)> Broken(RunConfiguration configuration)
    {
        var evaluation = configuration.Evaluation;
        for (int i = 0; i < configuration.Phases.Count; i++)
            if (configuration.Phases[i].StopBelow.Count > 0 && !evaluation.HasTasks)
                yield return (
                    $"phases[{i}].stop_below",
                    $"phases[{i}].stop_below judges phase '{configuration.Phases[i].Name}' by scores, but evaluation.tasks is empty: name the tasks there, or files in evaluation.task_files."
                );
        if (!evaluation.HasTasks)
        {
            if (evaluation.TasksEvery > 0)
                yield return (
                    "evaluation.tasks_every",
                    $"evaluation.tasks_every is {evaluation.TasksEvery}, but there is nothing to ask: name tasks in evaluation.tasks, or take it out."
                );
            yield break;
        }
        string key = evaluation.Tasks.Count > 0 ? "evaluation.tasks" : "evaluation.task_files";
        if (configuration.Data.Tokenizer is null)
            yield return (key, $"{key} asks the model in words, but data.tokenizer is not set: name the run's tokenizer.");
        if (configuration.Model.Head == HeadKind.Score)
            yield return (key, $"{key} asks for text, but model.head gives scores: take it out.");
    }
}
