using System.IO.Compression;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Exams.Answers;
using Uniscale.Evaluation.Exams.Files;
using Uniscale.Evaluation.Execution;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Exams.Files;

/// <summary>Tasks of each kind from made files in the form of the public ones.</summary>
public sealed class KindFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-kinds-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Race()
    {
        Write(
            "test/high/high7.txt",
            """{"id":"high7.txt","article":"A cat sat.","questions":["Who sat?","Where?"],"options":[["a dog","a cat","a hen","I"],["here","there","home","out"]],"answers":["B","D"]}"""
        );
        Write("test/middle/m1.txt", """{"article":"x","questions":["?"],"options":[["a","b","c","d"]],"answers":["A"]}""");
        var exam = ExamFiles.Read("race", _folder, null);
        Assert.Equal(["high", "middle"], exam.Subjects.Select(subject => subject.Name));
        var second = exam.Subjects[0].Questions[1];
        Assert.Equal(("high7/1", "Where?", "A cat sat.", 3), (second.Id, second.Text, second.Passage, second.Answers[0]));
        using var tokenizer = SmallTokenizer.Open();
        Assert.Equal("Article: A cat sat.\nQuestion: Where?\nA. here\nB. there\nC. home\nD. out\nAnswer:", Prompt("race", exam, second));
        Write("test/high/bad.txt", "{}");
        Refused("race", "bad.txt is not what was expected: a JSON object with article, questions, options and answers");
    }

    [Fact]
    public void C3()
    {
        Write(
            "c3-d-test.json",
            """[[["男：你好。","女：再见。"],[{"question":"谁说再见？","choice":["男的","女的"],"answer":"女的"}],"14-349"]]"""
        );
        var question = Assert.Single(Assert.Single(ExamFiles.Read("c3", _folder, null).Subjects).Questions);
        Assert.Equal(("14-349/0", "男：你好。\n女：再见。", 1), (question.Id, question.Passage, question.Answers[0]));
        Write("c3-d-test.json", """[[["x"],[{"question":"?","choice":["a"],"answer":"b"}],"9"]]""");
        Refused("c3", "document 9: the answer of question 1 is none of its choices");
    }

    [Fact]
    public void OpenQuestions()
    {
        Write(
            "wikipedia-dev.json",
            """{"Data":[{"Question":"Where is it?","QuestionId":"q","Answer":{"Value":"Paris","Aliases":["Paris","The City of Light"]}}]}"""
        );
        var trivia = Assert.Single(ExamFiles.Read("triviaqa", _folder, null).Subjects[0].Questions);
        Assert.Equal(1, Scores(trivia, AnswerRule.ExactMatch, "the city of light!")["exact_match"]);
        Assert.Equal(0, Scores(trivia, AnswerRule.ExactMatch, "a city")["exact_match"]);
        Assert.Equal(0.5, Scores(trivia, AnswerRule.ExactMatch, "city")["f1"]);

        Write("NQ-open.dev.jsonl", """{"question":"who?","answer":["Ada","Ada Lovelace"]}""");
        Write("NQ-open.train.jsonl", """{"question":"when?","answer":["1843"]}""");
        var nq = ExamFiles.Read("nq", _folder, null);
        Assert.Equal("Question: when?\nAnswer: 1843\n\nQuestion: who?\nAnswer:", Prompt("nq", nq, nq.Subjects[0].Questions[0]));
    }

    [Fact]
    public void NumbersAndFormulas()
    {
        Write("test.jsonl", """{"question":"2 and 3?","answer":"2+3=<<2+3=5>>5\n#### 5"}""");
        Write("train.jsonl", """{"question":"1 and 1?","answer":"1+1=2\n#### 2"}""");
        var gsm = ExamFiles.Read("gsm8k", _folder, null);
        Assert.Equal(1, Scores(gsm.Subjects[0].Questions[0], AnswerRule.Number, "so it is 5.")["acc"]);
        Assert.Contains(
            "Answer: 1+1=2\n#### 2\n\nQuestion: 2 and 3?",
            Prompt("gsm8k", gsm, gsm.Subjects[0].Questions[0]),
            StringComparison.Ordinal
        );

        Write("test/algebra/10.json", """{"problem":"x?","level":"Level 1","type":"Algebra","solution":"So $x=\\boxed{\\frac{1}{2}}$."}""");
        Write("test/algebra/9.json", """{"problem":"y?","solution":"\\boxed{3}"}""");
        Write("train/algebra/1.json", """{"problem":"z?","solution":"It is $\\boxed{4}$."}""");
        var math = ExamFiles.Read("math", _folder, null);
        Assert.Equal(["algebra/9", "algebra/10"], math.Subjects[0].Questions.Select(question => question.Id));
        Assert.Equal(1, Scores(math.Subjects[0].Questions[1], AnswerRule.Boxed, @"\boxed{1/2}")["acc"]);
        // A shot shows the way, not the answer alone.
        Assert.StartsWith(
            "Problem:\nz?\n\nSolution: It is $\\boxed{4}$.\n\n",
            Prompt("math", math, math.Subjects[0].Questions[0]),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Code()
    {
        Namespaces.Need();
        const string task =
            """{"task_id":"HumanEval/0","prompt":"def two():\n    \"\"\"Two.\"\"\"\n","canonical_solution":"    return 2\n","test":"def check(f):\n    assert f() == 2\n","entry_point":"two"}""";
        using (var file = File.Create(Path.Combine(_folder, "HumanEval.jsonl.gz")))
        using (var packed = new GZipStream(file, CompressionMode.Compress))
            packed.Write(Encoding.UTF8.GetBytes(task + "\n"));
        var question = Assert.Single(ExamFiles.Read("humaneval", _folder, null).Subjects[0].Questions);
        Assert.Equal(1, Scores(question, AnswerRule.Code, "    return 2")["acc"]);
        Assert.Equal(0, Scores(question, AnswerRule.Code, "    return 3")["acc"]);

        Write(
            "mbpp.jsonl",
            string.Join(
                '\n',
                ((int[])[2, 3, 4, 11, 12, 600]).Select(id =>
                    $$"""{"task_id":{{id}},"text":"Give {{id}}.","code":"def g():\r\n  return {{id}}","test_list":["assert g() == {{id}}"],"test_setup_code":""}"""
                )
            )
        );
        var mbpp = ExamFiles.Read("mbpp", _folder, null);
        Assert.Equal(["11", "12"], mbpp.Subjects[0].Questions.Select(one => one.Id));
        Assert.Equal(1, Scores(mbpp.Subjects[0].Questions[0], AnswerRule.Code, "def g():\n  return 11\n")["acc"]);
        string prompt = Prompt("mbpp", mbpp, mbpp.Subjects[0].Questions[0]);
        Assert.Contains("[BEGIN]\ndef g():\n  return 4\n[DONE]\n\nWrite a Python function: Give 11.", prompt, StringComparison.Ordinal);
        Assert.EndsWith("assert g() == 11\n[BEGIN]\n", prompt, StringComparison.Ordinal);
    }

    [Fact]
    public void LongBench()
    {
        string Line(string answers, string classes = "null") =>
            $$"""{"input":"Which?","context":"One. Two.","answers":{{answers}},"all_classes":{{classes}},"length":2,"_id":"1"}""";
        Write("data/hotpotqa.jsonl", Line("""["yes","it is so"]"""));
        Write("data/trec_e.jsonl", Line("""["Date"]""", """["Date","Number","Other number"]"""));
        Write("data/gov_report.jsonl", Line("""["the old report"]"""));
        Write("data/passage_count.jsonl", Line("""["7"]"""));
        Write("data/lcc.jsonl", Line("""["return x"]"""));
        Write("data/readme.jsonl", "not read");
        var subjects = ExamFiles
            .Read("longbench", _folder, null)
            .Subjects.ToDictionary(subject => subject.Name, subject => subject.Questions[0]);
        Assert.Equal(["gov_report", "hotpotqa", "lcc", "passage_count", "trec_e"], subjects.Keys);
        Assert.Equal((32, 512), (subjects["hotpotqa"].AnswerTokens, subjects["gov_report"].AnswerTokens));
        Assert.Equal(1, First("hotpotqa", "It is so."));
        Assert.Equal(1, First("trec_e", "\nDate\nNumber"));
        Assert.Equal(0.5, First("trec_e", "Date or Number"));
        Assert.Equal(0, First("trec_e", "Number"));
        // Of "old report is" and "old report" two words follow each other: 2·2/(3 + 2).
        Assert.Equal(0.8, First("gov_report", "old report is"), 1e-12);
        Assert.Equal(2.0 / 3, First("passage_count", "7 of 9, so 7"), 1e-12);
        // Seven of eight and of nine characters.
        Assert.Equal(16.0 / 17, First("lcc", "# so\nreturn xy"), 1e-12);

        double First(string name, string text) => Scores(subjects[name], subjects[name].Rule!.Value, text).Values.First();
    }

    /// <summary>A prompt that does not fit keeps its begin and its end, tokens of both alike.</summary>
    [Fact]
    public void ALongTextLosesItsMiddle()
    {
        using var tokenizer = SmallTokenizer.Open();
        var rules = ExamRules.Of("longbench", ExamVariant.Original);
        string text = string.Join(
            ' ',
            Enumerable.Repeat("question", 40).Concat(Enumerable.Repeat("water", 100)).Concat(Enumerable.Repeat("light", 40))
        );
        var question = new Question("x", text, [], []) { AnswerTokens = 8 };
        var subject = new Subject("s", "s", "", [], [question]);
        int[] whole = [.. new PromptBuilder(rules, tokenizer, 4000, 0).Written(subject, question)[0].Prompt];
        var builder = new PromptBuilder(rules, tokenizer, 48, 0);
        int[] cut = [.. builder.Written(subject, question)[0].Prompt];
        Assert.Equal((40, 1), (cut.Length, builder.Truncated));
        Assert.Equal([.. whole[..20], .. whole[^20..]], cut);
    }

    private static IReadOnlyDictionary<string, double> Scores(Question question, AnswerRule rule, string text) =>
        WrittenScores.Of(question, rule, text, PythonSandbox.Default);

    private static string Prompt(string name, Exam exam, Question question)
    {
        using var tokenizer = SmallTokenizer.Open();
        var rules = ExamRules.Of(name, ExamVariant.Original);
        var subject = exam.Subjects.First(subject => subject.Questions.Contains(question));
        return new PromptBuilder(rules, tokenizer, 4000, rules.Shots).Prompt(
            subject,
            question,
            Math.Min(rules.Shots, subject.Shots.Count),
            options: true
        );
    }

    private void Refused(string task, string sentence) =>
        Assert.Contains(
            sentence,
            Assert.Throws<UserErrorException>(() => ExamFiles.Read(task, _folder, null)).Message,
            StringComparison.Ordinal
        );

    private void Write(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
    }
}
