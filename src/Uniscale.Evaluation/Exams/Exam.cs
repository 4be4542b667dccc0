using Uniscale.Evaluation.Exams.Answers;

namespace Uniscale.Evaluation.Exams;

/// <summary>A question of an exam.</summary>
/// <param name="Id">Its place in the files, e.g. <c>anatomy/12</c>.</param>
/// <param name="Text">The question alone, as the file has it.</param>
/// <param name="Options">Texts of the options, without letters; empty for a question that is answered freely.</param>
/// <param name="Answers">Numbers of the right options; empty where the file names none that can be (such a question is never answered
/// right).</param>
public sealed record Question(string Id, string Text, IReadOnlyList<string> Options, IReadOnlyList<int> Answers)
{
    /// <summary>What stands before the question; empty for most.</summary>
    public string Passage { get; init; } = "";

    /// <summary>
    /// Right answers to a question that is answered freely: any of them is right; for GAOKAO's, one for each question of a record.
    /// </summary>
    public IReadOnlyList<string> Solutions { get; init; } = [];

    /// <summary>How an answer is taken from what a model writes; null: as the exam's rules say.</summary>
    public AnswerRule? Rule { get; init; }

    /// <summary>Names of which the answer is one, for <see cref="AnswerRule.Class"/>.</summary>
    public IReadOnlyList<string> Classes { get; init; } = [];

    /// <summary>Only the first line of what the model writes is its answer.</summary>
    public bool TakesFirstLine { get; init; }

    /// <summary>Tokens that the model may write; null: as the exam's rules say.</summary>
    public int? AnswerTokens { get; init; }

    /// <summary>What a written program has to pass, for <see cref="AnswerRule.Code"/>; null: nothing is run.</summary>
    public CodeTest? Tested { get; init; }

    /// <summary>Points that the exam gives for it.</summary>
    public double Points { get; init; } = 1;

    /// <summary>What a shot shows as the answer, where that is more than its solution; null: the target.</summary>
    public string? Shown { get; init; }

    /// <summary>The right answer as a shot shows it and results name it.</summary>
    public string Target =>
        Options.Count > 0 ? AnswerLetters : string.Join(Rule is null ? " | " : "", Rule is null ? Solutions.Take(1) : Solutions);

    /// <summary>The letters of the right options, e.g. <c>B</c>.</summary>
    public string AnswerLetters => string.Concat(Answers.Select(LetterOf));

    /// <summary>The letter of an option.</summary>
    public static char LetterOf(int option) => (char)('A' + option);
}

/// <summary>The parts of a program around what the model writes.</summary>
/// <param name="Before">Code before it.</param>
/// <param name="After">Code behind it: the tests.</param>
public sealed record CodeTest(string Before, string After)
{
    /// <summary>The whole program.</summary>
    public string Program(string written) => $"{Before}{written}\n{After}\n";
}

/// <summary>The questions of one subject.</summary>
/// <param name="Name">Name in the files, e.g. <c>abstract_algebra</c>.</param>
/// <param name="Title">Name in prompts.</param>
/// <param name="Group">Group of subjects, e.g. <c>STEM</c>; empty: none.</param>
/// <param name="Shots">Questions with answers to show, in the order of the file.</param>
/// <param name="Questions">Questions to ask.</param>
public sealed record Subject(string Name, string Title, string Group, IReadOnlyList<Question> Shots, IReadOnlyList<Question> Questions);

/// <summary>An exam.</summary>
/// <param name="Name">Name of the task.</param>
/// <param name="Subjects">Its subjects, in the order of their names.</param>
public sealed record Exam(string Name, IReadOnlyList<Subject> Subjects);
