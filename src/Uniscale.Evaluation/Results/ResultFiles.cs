using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Needles;

namespace Uniscale.Evaluation.Results;

/// <summary>Results and samples in the layout of lm-evaluation-harness.</summary>
public static class ResultFiles
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
    private static readonly JsonSerializerOptions Line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The content of <c>results_DATE.json</c>.</summary>
    /// <param name="evaluated">What was evaluated.</param>
    /// <param name="model">Where the model lies.</param>
    /// <param name="modelDigest">Names its weights.</param>
    /// <param name="date">When it was.</param>
    public static string Results(Evaluated evaluated, string model, string modelDigest, DateTimeOffset date)
    {
        JsonObject results = [],
            groups = [],
            parts = [],
            configs = [],
            shots = [],
            better = [],
            samples = [],
            hashes = [];
        foreach (var exam in evaluated.Exams)
        {
            foreach (var task in ScoredTask.Of(exam))
            {
                results[task.Name] = Metrics(task);
                if (task.Parts.Count > 0)
                    (groups[task.Name], parts[task.Name]) = (Metrics(task), new JsonArray([.. task.Parts.Select(part => (JsonNode)part)]));
                int count = task.Metrics.First().Value.Count;
                samples[task.Name] = new JsonObject { ["original"] = Original(exam, task), ["effective"] = count };
                shots[task.Name] = exam.Shots;
                better[task.Name] = new JsonObject([.. task.Metrics.Keys.Select(metric => KeyValuePair.Create(metric, (JsonNode?)true))]);
            }
            configs[exam.Exam.Name] = Configuration(exam);
            hashes[exam.Exam.Name] = exam.TaskHash;
        }
        if (evaluated.Perplexity is { } text)
        {
            results["perplexity"] = new JsonObject
            {
                ["alias"] = "perplexity",
                // Of a text without spaces, such as Chinese, a word is the whole: no number is as large.
                ["word_perplexity,none"] = Number(text.OfWords),
                ["byte_perplexity,none"] = Number(text.OfBytes),
                ["bits_per_byte,none"] = text.BitsPerByte,
            };
            configs["perplexity"] = new JsonObject
            {
                ["window"] = text.Window,
                ["stride"] = text.Window,
                ["prefix_token"] = text.PrefixToken,
                ["tokens"] = text.Tokens,
                ["words"] = text.Words,
                ["bytes"] = text.Bytes,
                ["loss_by_place"] = new JsonArray([
                    .. text.ByPlace.Select(place =>
                        (JsonNode)
                            new JsonObject
                            {
                                ["first"] = place.First,
                                ["end"] = place.End,
                                ["tokens"] = place.Tokens,
                                ["loss"] = place.Loss,
                            }
                    ),
                ]),
            };
            samples["perplexity"] = new JsonObject { ["original"] = text.Documents, ["effective"] = text.Documents };
        }
        if (evaluated.Needles is { } needles)
            AddNeedles(needles, results, configs, samples);
        return new JsonObject
        {
            ["results"] = results,
            ["groups"] = groups,
            ["group_subtasks"] = parts,
            ["configs"] = configs,
            ["versions"] = new JsonObject(),
            ["n-shot"] = shots,
            ["higher_is_better"] = better,
            ["n-samples"] = samples,
            ["config"] = new JsonObject
            {
                ["model"] = "uniscale",
                ["model_args"] = model,
                ["model_digest"] = modelDigest,
            },
            ["git_hash"] = null,
            ["date"] = date.ToUnixTimeSeconds(),
            ["task_hashes"] = hashes,
        }.ToJsonString(Indented);
    }

    /// <summary>The lines of <c>samples_TASK_DATE.jsonl</c>.</summary>
    public static IEnumerable<string> Samples(ExamResult exam) =>
        exam.Samples.Select(
            (sample, i) =>
                new JsonObject([
                    KeyValuePair.Create("doc_id", (JsonNode?)i),
                    KeyValuePair.Create("id", (JsonNode?)sample.Question.Id),
                    KeyValuePair.Create("subject", (JsonNode?)sample.Subject.Name),
                    KeyValuePair.Create("question", (JsonNode?)sample.Question.Text),
                    KeyValuePair.Create("target", (JsonNode?)sample.Question.Target),
                    KeyValuePair.Create("chosen", (JsonNode?)sample.Answer),
                    KeyValuePair.Create(
                        "resps",
                        (JsonNode?)
                            new JsonArray([
                                .. sample.Texts.Count > 0
                                    ? sample.Texts.Select(text => (JsonNode)text)
                                    : sample.LogLikelihoods.Select(value => (JsonNode)value),
                            ])
                    ),
                    .. sample.Scores.Select(score => KeyValuePair.Create(score.Key, (JsonNode?)score.Value)),
                ]).ToJsonString(Line)
        );

    /// <summary>The table that people read.</summary>
    public static IEnumerable<string> Table(Evaluated evaluated)
    {
        if (evaluated.Exams.Count > 0)
            yield return $"{"task",-40} {"variant",-12} {"scoring",-11} {"shots",5} {"metric",-16} {"value",7} {"± error",8} {"questions",9}";
        foreach (var exam in evaluated.Exams)
        {
            foreach (var task in ScoredTask.Of(exam))
                foreach (var (metric, score) in task.Metrics)
                    yield return string.Create(
                        CultureInfo.InvariantCulture,
                        $"{task.Name,-40} {exam.Options.Variant.ToString().ToLowerInvariant(),-12} {exam.Rules.Scoring.ToString().ToLowerInvariant(),-11} {exam.Shots,5} {metric,-16} {100 * score.Value,7:0.00} {100 * score.Error,8:0.00} {score.Count,9}"
                    );
            if (exam.Truncated > 0)
                yield return $"{exam.Exam.Name}: {exam.Truncated} prompts were longer than the model's context and lost their beginnings.";
        }
        foreach (string line in evaluated.Needles?.Table() ?? [])
            yield return line;
        if (evaluated.Perplexity is { } text)
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"perplexity: {text.BitsPerByte:0.0000} bits per byte, {text.OfBytes:0.0000} a byte, {(double.IsFinite(text.OfWords) ? text.OfWords.ToString("0.00", CultureInfo.InvariantCulture) : "n/a")} a word ({text.Documents} documents, {text.Tokens} tokens, windows of {text.Window}, prefix token {text.PrefixToken})"
            );
        if (evaluated.Perplexity is { ByPlace.Count: > 1 } placed)
            yield return $"loss by place: {string.Join(", ", placed.ByPlace.Select(place => string.Create(CultureInfo.InvariantCulture, $"{place.First}–{place.End} {place.Loss:0.0000}")))}";
    }

    private static void AddNeedles(NeedleReport needles, JsonObject results, JsonObject configs, JsonObject samples)
    {
        results["needle"] = new JsonObject
        {
            ["alias"] = "needle",
            ["found,none"] = needles.Found.Value,
            ["found_stderr,none"] = ErrorOf(needles.Found),
            ["score,none"] = needles.Mean.Value,
            ["score_stderr,none"] = ErrorOf(needles.Mean),
        };
        configs["needle"] = new JsonObject
        {
            ["lengths"] = new JsonArray([.. needles.Options.Lengths.Select(length => (JsonNode)length)]),
            ["depths"] = needles.Options.Depths,
            ["seed"] = needles.Options.Seed,
            ["text"] = needles.Haystack,
        };
        samples["needle"] = new JsonObject { ["original"] = needles.Results.Count, ["effective"] = needles.Results.Count };
    }

    /// <summary>JSON has no infinity.</summary>
    private static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;

    private static JsonNode? ErrorOf(Score score) => double.IsNaN(score.Error) ? "N/A" : score.Error;

    private static JsonObject Metrics(ScoredTask task) =>
        new([
            KeyValuePair.Create("alias", (JsonNode?)task.Name),
            .. task.Metrics.SelectMany(metric =>
                new[]
                {
                    KeyValuePair.Create($"{metric.Key},none", (JsonNode?)metric.Value.Value),
                    KeyValuePair.Create($"{metric.Key}_stderr,none", ErrorOf(metric.Value)),
                }
            ),
        ]);

    private static int Original(ExamResult exam, ScoredTask task) =>
        exam
            .Exam.Subjects.Where(subject =>
                task.Name == exam.Exam.Name
                || task.Parts.Contains($"{exam.Exam.Name}_{subject.Name}")
                || task.Name == $"{exam.Exam.Name}_{subject.Name}"
            )
            .Sum(subject => subject.Questions.Count);

    private static JsonObject Configuration(ExamResult exam) =>
        new()
        {
            ["task"] = exam.Exam.Name,
            ["variant"] = exam.Options.Variant.ToString().ToLowerInvariant(),
            ["scoring"] = exam.Rules.Scoring.ToString().ToLowerInvariant(),
            ["averaging"] = exam.Rules.Averaging.ToString().ToLowerInvariant(),
            ["num_fewshot"] = exam.Shots,
            ["limit"] = exam.Options.Limit,
            ["prefix_token"] = exam.PrefixToken,
            ["truncated"] = exam.Truncated,
            ["answer_rule"] = exam.Rules.Scoring == Scoring.Written ? exam.Rules.Rule.ToString().ToLowerInvariant() : null,
            ["target_delimiter"] = exam.Rules.Delimiter,
        };
}
