namespace Uniscale.Evaluation.Results;

/// <summary>Where the files of evaluations lie: <c>results_STEM.json</c>, <c>samples_TASK_STEM.jsonl</c>, <c>needle_STEM.csv</c>.</summary>
public static class ResultFolder
{
    /// <summary>Name of the folder within a run's.</summary>
    public const string Name = "evaluation";

    /// <summary>Writes the files of an evaluation.</summary>
    /// <param name="folder">The folder; made where it is not there.</param>
    /// <param name="stem">Names the evaluation, e.g. its date.</param>
    /// <param name="evaluated">What was evaluated.</param>
    /// <param name="model">Where the model lies.</param>
    /// <param name="modelDigest">Names its weights.</param>
    /// <param name="date">When it was.</param>
    /// <returns>Path and content of the results file.</returns>
    public static (string Path, string Results) Write(
        string folder,
        string stem,
        Evaluated evaluated,
        string model,
        string modelDigest,
        DateTimeOffset date
    )
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, $"results_{stem}.json"),
            results = ResultFiles.Results(evaluated, model, modelDigest, date);
        File.WriteAllText(path, results);
        foreach (var exam in evaluated.Exams)
            File.WriteAllLines(Path.Combine(folder, $"samples_{exam.Exam.Name}_{stem}.jsonl"), ResultFiles.Samples(exam));
        evaluated.Needles?.WriteCsv(Path.Combine(folder, $"needle_{stem}.csv"));
        return (path, results);
    }
}
