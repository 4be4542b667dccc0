using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>Reading comprehension with options.</summary>
internal static class ReadingFiles
{
    /// <summary>
    /// RACE: <c>test/{middle,high}/NAME.txt</c>, each a JSON object of article, questions, options (a list for each question) and answers
    /// (letters).
    /// </summary>
    public static Exam Race(string folder, string? split)
    {
        string tests = QuestionFiles.Find(folder, "race", split ?? "test");
        var subjects = Directory
            .EnumerateDirectories(tests)
            .Order(StringComparer.Ordinal)
            .Select(level => new Subject(
                Path.GetFileName(level),
                Path.GetFileName(level),
                "",
                [],
                [.. Directory.EnumerateFiles(level, "*.txt").Order(StringComparer.Ordinal).SelectMany(OfArticle)]
            ))
            .Where(subject => subject.Questions.Count > 0)
            .ToList();
        return subjects.Count > 0
            ? new Exam("race", subjects)
            : throw new UserErrorException(
                $"{tests} has no folders middle and high with files NAME.txt, which hold the questions of race."
            );
    }

    /// <summary>
    /// C3: <c>c3-{d,m}-test.json</c>, a list of documents, each a list of its lines, of its questions (question, choice, answer) and its
    /// id.
    /// </summary>
    public static Exam C3(string folder, string? split)
    {
        string part = split ?? "test";
        var subjects = new (string Name, string Title)[] { ("d", "dialogue"), ("m", "mixed") }
            .Select(kind =>
                (kind.Title, Path: QuestionFiles.FindOrNull(folder, $"c3-{kind.Name}-{part}.json", $"data/c3-{kind.Name}-{part}.json"))
            )
            .Where(kind => kind.Path is not null)
            .Select(kind => new Subject(kind.Title, kind.Title, "", [], OfDocuments(kind.Path!)))
            .ToList();
        return subjects.Count > 0
            ? new Exam("c3", subjects)
            : throw new UserErrorException($"{folder} has no c3-d-{part}.json or c3-m-{part}.json, which hold the questions of c3.");
    }

    private static IEnumerable<Question> OfArticle(string path) =>
        QuestionFiles.Whole(
            path,
            "a JSON object with article, questions, options and answers",
            record =>
            {
                string[] answers = QuestionFiles.Texts(record.GetProperty("answers"));
                return record
                    .GetProperty("questions")
                    .EnumerateArray()
                    .Select(
                        (question, i) =>
                        {
                            string[] options = QuestionFiles.Texts(record.GetProperty("options")[i]);
                            string id = $"{Path.GetFileNameWithoutExtension(path)}/{i}";
                            return new Question(
                                id,
                                question.GetString() ?? "",
                                options,
                                [ExamFiles.OptionOf(answers[i], options.Length, path)]
                            )
                            {
                                Passage = QuestionFiles.Text(record, "article"),
                            };
                        }
                    )
                    .ToList();
            }
        );

    private static List<Question> OfDocuments(string path) =>
        QuestionFiles.Whole(
            path,
            "a list of documents, each a list of lines, questions (question, choice, answer) and an id",
            record => record.EnumerateArray().SelectMany(document => OfDocument(document, path)).ToList()
        );

    private static IEnumerable<Question> OfDocument(JsonElement document, string path)
    {
        string passage = string.Join('\n', QuestionFiles.Texts(document[0])),
            id = document[2].GetString() ?? "";
        return document[1]
            .EnumerateArray()
            .Select(
                (question, i) =>
                {
                    string[] options = QuestionFiles.Texts(question.GetProperty("choice"));
                    int right = Array.IndexOf(options, QuestionFiles.Text(question, "answer"));
                    return right >= 0
                        ? new Question($"{id}/{i}", QuestionFiles.Text(question, "question"), options, [right]) { Passage = passage }
                        : throw new UserErrorException($"{path}, document {id}: the answer of question {i + 1} is none of its choices.");
                }
            );
    }
}
