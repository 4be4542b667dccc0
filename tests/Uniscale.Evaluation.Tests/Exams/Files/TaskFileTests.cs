using Uniscale.Configuration;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Exams.Answers;
using Uniscale.Evaluation.Exams.Files;

namespace Uniscale.Evaluation.Tests.Exams.Files;

public sealed class TaskFileTests : IDisposable
{
    private const string Plain = "name: made\ndata: q.jsonl\nprompt: \"Q: {question}\\nA:\"\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-task-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void LettersHaveOptionsInTemplates()
    {
        Write("q.csv", "question,A,B,answer\n\"Who, me?\",you,I,B\nWhere?,here,there,A\n");
        Write("s.csv", "question,A,B,answer\nShot?,no,yes,B\n");
        var (exam, rules) = Read(
            "name: made\ndata: q.csv\nshots: s.csv\nshot_count: 1\nprompt: \"{question} A {A} B {B}\"\noptions: [\"{A}\", \"{B}\"]\nscoring: letter\n"
        );
        var subject = Assert.Single(exam.Subjects);
        Assert.Equal(("Who, me? A you B I", "B"), (subject.Questions[0].Text, subject.Questions[0].AnswerLetters));
        Assert.Equal(["here", "there"], subject.Questions[1].Options);
        Assert.Equal("Shot? A no B yes", Assert.Single(subject.Shots).Text);
        Assert.Equal((Scoring.Letter, 1), (rules.Scoring, rules.Shots));
    }

    /// <summary>A list of options in a field; the right one by number, letter or text.</summary>
    [Theory]
    [InlineData("1")]
    [InlineData("\"B\"")]
    [InlineData("\"I\"")]
    public void OptionsMayBeAList(string answer)
    {
        Write("q.jsonl", $"{{\"question\": \"Who?\", \"choices\": [\"you\", \"I\"], \"answer\": {answer}, \"topic\": \"x\"}}\n");
        var (exam, rules) = Read(Plain + "options: [choices]\nscoring: option\nsubject: topic\naveraging: subjects\n");
        Assert.Equal(("x", 1), (exam.Subjects[0].Name, exam.Subjects[0].Questions[0].Answers[0]));
        Assert.Equal((Scoring.Option, Averaging.Subjects), (rules.Scoring, rules.Averaging));
    }

    [Fact]
    public void SolutionsAreATextOrAList()
    {
        Write("q.jsonl", "{\"question\": \"Who?\", \"answer\": [\"me\", \"I\"]}\n\n{\"question\": \"How many?\", \"answer\": 7}\n");
        var (exam, rules) = Read(Plain + "scoring: f1\nstop: [\"\\n\"]\ntokens: 20\n");
        Assert.Equal(
            [
                ["me", "I"],
                ["7"],
            ],
            exam.Subjects[0].Questions.Select(question => question.Solutions.ToArray())
        );
        Assert.Equal((Scoring.Written, AnswerRule.F1, 20), (rules.Scoring, rules.Rule, rules.AnswerTokens));
        Assert.Equal(["\n"], rules.Stops);
    }

    [Fact]
    public void CsvWithoutAHeaderNamesItsColumns()
    {
        Write("q.csv", "2+2,4\n3+3,6\n");
        var (exam, rules) = Read(
            "name: sums\ndata: q.csv\ncolumns: [question, answer]\nprompt: \"{question}=\"\nscoring: number\nsamples: 4\ntemperature: 0.8\npass_at: [1, 4]\n"
        );
        Assert.Equal(["2+2=", "3+3="], exam.Subjects[0].Questions.Select(question => question.Text));
        Assert.Equal((AnswerRule.Number, 4, 0.8), (rules.Rule, rules.Samples, rules.Temperature));
    }

    [Theory]
    [InlineData("data: q.jsonl\nprompt: x\n", "name is ''")]
    [InlineData("name: a b\ndata: q.jsonl\nprompt: x\n", "name is 'a b'")]
    [InlineData("name: a\nprompt: x\n", "data names no file")]
    [InlineData("name: a\ndata: q.jsonl\n", "prompt is empty")]
    [InlineData("name: a\ndata: none.jsonl\nprompt: x\n", "none.jsonl does not exist")]
    [InlineData("name: a\ndata: q.txt\nprompt: x\n", "a .csv or a .jsonl file")]
    [InlineData(Plain + "scoring: letter\n", "which needs options")]
    [InlineData(Plain + "scoring: letters\n", "scoring")]
    [InlineData(Plain + "shot_count: 2\n", "shots names no file")]
    [InlineData(Plain + "separator: \"\"\n", "separator is empty")]
    [InlineData(Plain + "stop: [\"\"]\n", "stop holds an empty text")]
    [InlineData(Plain + "scoring: number\nsamples: 3\n", "at temperature 0")]
    [InlineData(Plain + "scoring: f1\npass_at: [1]\n", "pass_at needs answers")]
    [InlineData(Plain + "scoring: number\npass_at: [2]\n", "pass_at holds 2")]
    [InlineData("name: a\ndata: q.jsonl\nprompt: \"{nothing}\"\n", "line 1: there is no field 'nothing'; there are question, answer")]
    [InlineData(Plain + "target: right\n", "there is no field 'right'")]
    [InlineData(Plain + "options: [x, y]\nscoring: letter\n", "the answer 'four' is none of the letters A to B")]
    [InlineData(Plain + "unknown: 1\n", "unknown")]
    public void MistakesAreToldWithTheirPlace(string yaml, string sentence)
    {
        Write("q.jsonl", "{\"question\": \"2+2?\", \"answer\": \"four\"}\n");
        Write("q.txt", "x");
        Assert.Contains(sentence, Assert.Throws<UserErrorException>(() => Read(yaml)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("q.jsonl", "no json\n", "line 1 is no JSON object")]
    [InlineData("q.jsonl", "\n", "has no questions")]
    [InlineData("q.jsonl", "{\"question\": null, \"answer\": \"x\"}\n", "'question' holds no text")]
    [InlineData("q.jsonl", "{\"question\": \"x\", \"answer\": []}\n", "holds no solution")]
    [InlineData("q.csv", "question,answer\nTwo, three?,5\n", "line 2: there are 3 fields, where 2 are expected (question, answer)")]
    [InlineData("q.csv", "question,answer,question\nx,5,y\n", "line 1: two columns are called 'question'")]
    public void BadQuestionsAreToldWithTheirPlace(string file, string text, string sentence)
    {
        Write(file, text);
        string yaml = Plain.Replace("q.jsonl", file, StringComparison.Ordinal);
        Assert.Contains(sentence, Assert.Throws<UserErrorException>(() => Read(yaml)).Message, StringComparison.Ordinal);
    }

    /// <summary>U+FFFD in the place of letters would be asked, and scored.</summary>
    [Theory]
    [InlineData("q.jsonl", "{\"question\": \"?\", \"answer\": \"?\"}\n")]
    [InlineData("q.csv", "question,answer\n?,?\n")]
    public void QuestionsInAnotherEncodingAreRefused(string file, string text)
    {
        byte[] bytes = [.. text.Select(letter => letter == '?' ? (byte)0xC4 : (byte)letter)];
        File.WriteAllBytes(Path.Combine(_folder, file), bytes);
        string yaml = Plain.Replace("q.jsonl", file, StringComparison.Ordinal);
        Assert.Contains("is not UTF-8", Assert.Throws<UserErrorException>(() => Read(yaml)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Shot?", 3, "shot_count is 3, but s.jsonl has 2 questions: set it to 2 or less")]
    [InlineData("2+2?", 2, "question 2 of s.jsonl is asked in q.jsonl too, with its answer in sight")]
    public void ShotsAreThereAndGiveNothingAway(string second, int count, string sentence)
    {
        Write("q.jsonl", "{\"question\": \"2+2?\", \"answer\": \"4\"}\n");
        Write("s.jsonl", $"{{\"question\": \"1+1?\", \"answer\": \"2\"}}\n{{\"question\": \"{second}\", \"answer\": \"4\"}}\n");
        var failure = Assert.Throws<UserErrorException>(() => Read(Plain + $"shots: s.jsonl\nshot_count: {count}\n"));
        Assert.Contains(sentence, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ShotsThatAreNotShownGiveNothingAway()
    {
        Write("q.jsonl", "{\"question\": \"2+2?\", \"answer\": \"4\"}\n");
        Write("s.jsonl", "{\"question\": \"1+1?\", \"answer\": \"2\"}\n{\"question\": \"2+2?\", \"answer\": \"4\"}\n");
        Assert.Equal(1, Read(Plain + "shots: s.jsonl\nshot_count: 1\n").Rules.Shots);
    }

    private (Exam Exam, ExamRules Rules) Read(string yaml)
    {
        Write("task.yaml", yaml);
        return TaskFile.Read(Path.Combine(_folder, "task.yaml"));
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);
}
