using Uniscale.Configuration;
using Uniscale.Evaluation.Exams.Answers;
using Uniscale.Evaluation.Exams.Files;

namespace Uniscale.Evaluation.Tests.Exams.Files;

public sealed class ExamFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-exams-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void MmluHasNoHeader()
    {
        Write("mmlu/dev/college_physics_dev.csv", "Q1,a,b,c,d,A\n\"Q2, with \"\"quotes\"\"\nand lines\",a,b,c,d,D\n");
        Write("mmlu/test/college_physics_test.csv", "First,1,2,3,4,C\n");
        Write("mmlu/test/anatomy_test.csv", "Bone?,x,y,z,w,B\n");
        var exam = ExamFiles.Read("mmlu", _folder, null);
        Assert.Equal(["anatomy", "college_physics"], exam.Subjects.Select(subject => subject.Name));
        Assert.Equal(["other", "STEM"], exam.Subjects.Select(subject => subject.Group));
        var physics = exam.Subjects[1];
        Assert.Equal("college physics", physics.Title);
        Assert.Equal(
            ("First", "C", "college_physics/0"),
            (physics.Questions[0].Text, physics.Questions[0].AnswerLetters, physics.Questions[0].Id)
        );
        Assert.Equal("Q2, with \"quotes\"\nand lines", physics.Shots[1].Text);
        Assert.Equal("D", physics.Shots[1].AnswerLetters);
    }

    /// <summary>The first test files have no answers: val is asked then.</summary>
    [Fact]
    public void CevalHasAHeaderAndItsTestMayHaveNoAnswers()
    {
        Write("ceval/dev/law_dev.csv", "id,question,A,B,C,D,answer,explanation\n0,甲,一,二,三,四,B,因为\n");
        Write("ceval/val/law_val.csv", "id,question,A,B,C,D,answer\n0,乙,一,二,三,四,D\n1,丙,一,二,三,四,A\n");
        Write("ceval/test/law_test.csv", "id,question,A,B,C,D\n0,丁,一,二,三,四\n");
        var law = Assert.Single(ExamFiles.Read("ceval", _folder, null).Subjects);
        Assert.Equal(("法学", "humanities"), (law.Title, law.Group));
        Assert.Equal(["D", "A"], law.Questions.Select(question => question.AnswerLetters));
        Assert.Equal("甲", Assert.Single(law.Shots).Text);
        Write("ceval/test/law_test.csv", "id,question,A,B,C,D,answer,explanation\n0,丁,一,二,三,四,C,\n");
        Assert.Equal("丁", Assert.Single(Assert.Single(ExamFiles.Read("ceval", _folder, null).Subjects).Questions).Text);
    }

    /// <summary>
    /// Options carry letters; labels are a letter, a list, or a stray text that no letter matches; cloze files have no options.
    /// </summary>
    [Fact]
    public void AgievalHasLabelsOfThreeKinds()
    {
        Write(
            "agieval/data/v1/aqua-rat.jsonl",
            """{"passage": null, "question": "2+2?", "options": ["(A)3", "(B)4", "(C)5", "(D)6", "(E)7"], "label": "B", "answer": null, "other": null}"""
                + "\n"
        );
        Write(
            "agieval/data/v1/jec-qa-kd.jsonl",
            """{"passage": "文。", "question": "哪些？", "options": ["(A)甲", "（B）乙", "(C)丙", "(D)丁"], "label": ["A", "C"], "answer": null}"""
                + "\n"
        );
        Write(
            "agieval/data/v1/gaokao-mathqa.jsonl",
            """{"question": "几？", "options": ["(A)1", "(B)2", "(C)3", "(D)4"], "label": "A B D"}""" + "\n"
        );
        Write("agieval/data/v1/math.jsonl", """{"question": "1+1", "options": null, "label": null, "answer": "2"}""" + "\n");
        var exam = ExamFiles.Read("agieval", _folder, null);
        Assert.Equal(["aqua-rat", "gaokao-mathqa", "jec-qa-kd"], exam.Subjects.Select(subject => subject.Name));
        var questions = exam.Subjects.Select(subject => subject.Questions[0]).ToList();
        Assert.Equal(["3", "4", "5", "6", "7"], questions[0].Options);
        Assert.Equal([1], questions[0].Answers);
        Assert.Empty(questions[1].Answers);
        Assert.Equal([0, 2], questions[2].Answers);
        Assert.Equal(("文。", "乙"), (questions[2].Passage, questions[2].Options[1]));
    }

    [Fact]
    public void HamexamHasAFileAQuestion()
    {
        for (int i = 1; i <= 7; i++)
            Write($"E/E0A0{i}", $"E0A0{i} (B) [97.13]\nWhat is\nthe limit {i}?\nA. one\nB. two\nC.W. more\nC. three\nD.A four\n");
        Write("copyright", "This package was made by hand.");
        var element = Assert.Single(ExamFiles.Read("ham", _folder, null).Subjects);
        Assert.Equal(("E0", "E", 2, 5), (element.Name, element.Group, element.Questions.Count, element.Shots.Count));
        Assert.Equal("What is the limit 1?", element.Questions[0].Text);
        Assert.Equal(["one", "two C.W. more", "three", "A four"], element.Questions[0].Options);
        Assert.Equal("E0A07", element.Shots[^1].Id);
    }

    /// <summary>Records hold one question or several, letters or sets; the options are part of the text.</summary>
    [Fact]
    public void GaokaoHasRecordsOfSeveralQuestions()
    {
        Write(
            "gaokao/Data/Objective_Questions/2010-2022_Math_I_MCQs.json",
            """{"keywords": "2010-2022_Math_I_MCQs", "example": [{"year": "2010", "question": "1. 几？A. 1 B. 2", "answer": ["B"], "score": 5, "index": 0}]}"""
        );
        Write(
            "gaokao/Data/Objective_Questions/2010-2022_English_Reading_Comp.json",
            """{"keywords": "2010-2022_English_Reading_Comp", "example": [{"question": "two", "answer": ["A", "D"], "score": 2}]}"""
        );
        Write(
            "gaokao/Data/Objective_Questions/2010-2022_Physics_MCQs.json",
            """{"keywords": "2010-2022_Physics_MCQs", "example": [{"question": "sets", "answer": ["AB"], "score": "6"}]}"""
        );
        Write(
            "gaokao/Data/Objective_Questions/2012-2022_English_Cloze_Test.json",
            """{"keywords": "2012-2022_English_Cloze_Test", "example": [{"question": "five", "answer": ["G", "E", "A", "B", "C"], "score": 2}]}"""
        );
        var questions = ExamFiles.Read("gaokao", _folder, null).Subjects.Select(subject => subject.Questions[0]).ToList();
        Assert.Equal(
            [AnswerRule.LetterList, AnswerRule.LastLetter, AnswerRule.LetterSet, AnswerRule.FiveOfSeven],
            questions.Select(question => question.Rule!.Value)
        );
        Assert.Equal([4.0, 5, 6, 10], questions.Select(question => question.Points));
        Assert.Equal("AD", questions[0].Target);
    }

    [Theory]
    [InlineData("gaokao", "gaokao/a.json", "[]", "holds no questions of gaokao")]
    [InlineData(
        "gaokao",
        "gaokao/a.json",
        "{\"example\": [{\"question\": \"q\", \"answer\": [\"yes\"]}]}",
        "record 1: the answer [yes] is no list of letters"
    )]
    [InlineData(
        "gaokao",
        "gaokao/a.json",
        "{\"example\": [{\"question\": \"q\", \"answer\": [\"A\"], \"score\": \"1,5\"}]}",
        "record 1: the score '1,5' is no number"
    )]
    [InlineData("gaokao", "gaokao/a.txt", "x", "has no files NAME.json")]
    [InlineData("history", "mmlu/test/x_test.csv", "Q,a,b,c,d,A\n", "There is no task 'history'")]
    [InlineData("mmlu", "mmlu/dev/x_dev.csv", "Q,a,b,c,d,A\n", "has no split 'test'")]
    [InlineData("mmlu", "mmlu/test/x_test.txt", "Q", "has no files *_test.csv")]
    [InlineData("mmlu", "mmlu/test/x_test.csv", "Q,a,b,c,d,A\nQ,a,b\n", "line 2: there are 3 fields")]
    [InlineData("mmlu", "mmlu/test/x_test.csv", "Q, or R?,a,b,c,d,A\n", "line 1: there are 7 fields")]
    [InlineData("mmlu", "mmlu/test/x_test.csv", "Q,a,b,c,d,E\n", "the answer 'E' is none of the letters A to D")]
    [InlineData("mmlu", "mmlu/test/x_test.csv", "Q,a,b,c,d,\n", "the answer '' is none of the letters A to D")]
    [InlineData("agieval", "agieval/a.jsonl", "{\"question\": \"q\", \"options\": [\"(A)1\", \"(B)2\"]}", "has options but no label")]
    [InlineData(
        "agieval",
        "agieval/a.jsonl",
        "{\"question\": \"q\", \"options\": [\"(A)1\", \"(B)2\"], \"label\": null}",
        "has options but no label"
    )]
    [InlineData("agieval", "agieval/a.jsonl", "not json", "line 1 is no question of agieval")]
    [InlineData("agieval", "agieval/a.jsonl", "{\"question\": \"q\", \"label\": \"A\"}", "has no files NAME.jsonl with options")]
    [InlineData("ham", "ham/x", "nothing", "has no questions of hamexam")]
    [InlineData("ham", "ham/T0A01", "T0A01 (A)\nQ?\nA. a\nB. b\nC. c\n\n", "has 3 options with letters")]
    public void BadFilesAreRefusedInASentence(string task, string path, string text, string sentence)
    {
        Write(path, text);
        Assert.Contains(
            sentence,
            Assert.Throws<UserErrorException>(() => ExamFiles.Read(task, _folder, null)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AMissingFolderOrSplitIsNamed()
    {
        Assert.Contains(
            "There is no folder",
            Assert.Throws<UserErrorException>(() => ExamFiles.Read("mmlu", Path.Combine(_folder, "nowhere"), null)).Message,
            StringComparison.Ordinal
        );
        Write("mmlu/test/x_test.csv", "Q,a,b,c,d,A\n");
        Assert.Contains(
            "has no split 'train'",
            Assert.Throws<UserErrorException>(() => ExamFiles.Read("mmlu", _folder, "train")).Message,
            StringComparison.Ordinal
        );
    }

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, path))!);
        File.WriteAllText(Path.Combine(_folder, path), text);
    }
}
