namespace Uniscale.Evaluation.Exams;

/// <summary>A mean with its standard error.</summary>
/// <param name="Value">The mean.</param>
/// <param name="Error">Its standard error; not a number where there is one sample only.</param>
/// <param name="Count">Questions.</param>
public readonly record struct Score(double Value, double Error, int Count)
{
    /// <summary>The mean of samples, with sample standard deviation / √n.</summary>
    public static Score Of(IReadOnlyCollection<double> samples)
    {
        double mean = samples.Sum() / samples.Count;
        double variance = samples.Sum(sample => (sample - mean) * (sample - mean)) / (samples.Count - 1);
        return new Score(mean, Math.Sqrt(variance / samples.Count), samples.Count);
    }

    /// <summary>The mean of samples by their weights, with the standard error √Σ(w·(x − mean))² / Σw.</summary>
    public static Score Of(IReadOnlyCollection<(double Value, double Weight)> samples)
    {
        double total = samples.Sum(sample => sample.Weight),
            mean = samples.Sum(sample => sample.Weight * sample.Value) / total;
        double error = Math.Sqrt(samples.Sum(sample => Math.Pow(sample.Weight * (sample.Value - mean), 2))) / total;
        return new Score(mean, samples.Count > 1 ? error : double.NaN, samples.Count);
    }

    /// <summary>The plain mean of means.</summary>
    public static Score Mean(IReadOnlyCollection<Score> scores) =>
        new(
            scores.Sum(score => score.Value) / scores.Count,
            Math.Sqrt(scores.Sum(score => score.Error * score.Error)) / scores.Count,
            scores.Sum(score => score.Count)
        );
}

/// <summary>The scores of an exam: of the whole, of its groups and of its subjects.</summary>
/// <param name="Name">Name of the exam, of a group (<c>mmlu_STEM</c>) or of a subject (<c>mmlu_anatomy</c>).</param>
/// <param name="Metrics">Metric by metric.</param>
/// <param name="Parts">Names of the parts; empty for a subject.</param>
public sealed record ScoredTask(string Name, IReadOnlyDictionary<string, Score> Metrics, IReadOnlyList<string> Parts)
{
    private const string Hard = "ceval_hard";

    private static readonly string[] HardSubjects =
    [
        "advanced_mathematics",
        "discrete_mathematics",
        "probability_and_statistics",
        "college_chemistry",
        "college_physics",
        "high_school_mathematics",
        "high_school_chemistry",
        "high_school_physics",
    ];

    /// <summary>Names of an exam's scores, before it is held.</summary>
    public static IReadOnlyList<string> NamesOf(Exam exam)
    {
        // A subject without questions has no score.
        var subjects = exam.Subjects.Where(subject => subject.Questions.Count > 0).ToList();
        return subjects.Count == 1
            ? [exam.Name]
            :
            [
                exam.Name,
                .. subjects
                    .Select(subject => subject.Group)
                    .Where(group => group.Length > 0)
                    .Distinct()
                    .Select(group => NameOf(exam.Name, group)),
                .. HasHard(exam) ? (string[])[Hard] : [],
                .. subjects.Select(subject => $"{exam.Name}_{subject.Name}"),
            ];
    }

    /// <summary>The whole first, then groups, then subjects.</summary>
    public static IReadOnlyList<ScoredTask> Of(ExamResult result)
    {
        string exam = result.Exam.Name;
        var subjects = result
            .Samples.GroupBy(sample => sample.Subject.Name)
            .Select(group =>
                (
                    Subject: group.First().Subject,
                    Task: Task(
                        $"{exam}_{group.Key}",
                        [.. group],
                        result.Rules.Averaging == Averaging.Points ? Averaging.Points : Averaging.Questions,
                        []
                    )
                )
            )
            .ToList();
        var groups = subjects
            .Where(one => one.Subject.Group.Length > 0)
            .GroupBy(one => one.Subject.Group)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group =>
                Joined(NameOf(exam, group.Key), group.Select(one => one.Subject.Name), [.. group.Select(one => one.Task.Name)])
            )
            .ToList();
        if (HasHard(result.Exam))
            groups.Add(Joined(Hard, HardSubjects, [.. HardSubjects.Select(name => $"{exam}_{name}")]));
        if (subjects.Count == 1)
            return [subjects[0].Task with { Name = exam }];
        return
        [
            Joined(exam, subjects.Select(one => one.Subject.Name), [.. subjects.Select(one => one.Task.Name)]),
            .. groups,
            .. subjects.Select(one => one.Task),
        ];

        ScoredTask Joined(string name, IEnumerable<string> of, IReadOnlyList<string> parts)
        {
            var wanted = of.ToHashSet();
            return Task(name, [.. result.Samples.Where(sample => wanted.Contains(sample.Subject.Name))], result.Rules.Averaging, parts);
        }
    }

    private static string NameOf(string exam, string group) => $"{exam}_{group.Replace(' ', '_')}";

    private static bool HasHard(Exam exam) =>
        exam.Name == "ceval" && HardSubjects.All(name => exam.Subjects.Any(subject => subject.Name == name));

    private static ScoredTask Task(string name, IReadOnlyList<Sample> samples, Averaging averaging, IReadOnlyList<string> parts) =>
        new(
            name,
            samples
                .Skip(1)
                .Aggregate(samples[0].Scores.Keys.AsEnumerable(), (common, sample) => common.Where(sample.Scores.ContainsKey).ToList())
                .ToDictionary(
                    metric => metric,
                    metric =>
                        averaging switch
                        {
                            Averaging.Questions => Score.Of([.. samples.Select(sample => sample.Scores[metric])]),
                            Averaging.Points => Score.Of([.. samples.Select(sample => (sample.Scores[metric], sample.Question.Points))]),
                            _ => Score.Mean([
                                .. samples
                                    .GroupBy(sample => sample.Subject.Name)
                                    .Select(group => Score.Of([.. group.Select(sample => sample.Scores[metric])])),
                            ]),
                        }
                ),
            parts
        );
}
