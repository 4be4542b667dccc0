using System.Text.RegularExpressions;

namespace Uniscale.Evaluation.Exams.Answers;

/// <summary>Answers that are letters of options.</summary>
internal static partial class LetterAnswers
{
    private const string AnswerMark = "【答案】";

    /// <summary>
    /// Behind the last sentence that names an answer, else the first letters that stand alone, as many as follow each other; empty: none.
    /// </summary>
    public static string Named(string text, int options)
    {
        char last = Question.LetterOf(Math.Max(options, 1) - 1);
        string letters = $"([A-{last}](?:[ ,、和and]*[A-{last}])*)(?![A-Za-z])";
        string mark =
            @"(?:[Aa]nswer(?:s)?(?: is| are|:)+|答案(?:是|为|应为|选|：|:)*|(?:应|故|所以|因此)?选(?:择|项)?(?:是|为|：|:)?|\\boxed\{)";
        var named = Regex.Matches(text, $@"{mark}[\s*（(【]*{letters}", RegexOptions.CultureInvariant);
        if (named.Count > 0)
            return Distinct(named[^1].Groups[1].Value);
        var alone = Regex.Match(text, $@"(?<![A-Za-z]){letters}", RegexOptions.CultureInvariant);
        return alone.Success ? Distinct(alone.Groups[1].Value) : "";
    }

    /// <summary>The last letter A to D.</summary>
    public static string Last(string text) =>
        text.LastOrDefault(c => c is >= 'A' and <= 'D') is var letter and not '\0' ? letter.ToString() : "";

    /// <summary>
    /// A letter for each of several questions: those behind the marks of an answer where they are as many, else the first of the text.
    /// </summary>
    public static string List(string text, int count)
    {
        string marked = Options(string.Concat(Marked().Matches(text).Select(match => match.Groups[1].Value)));
        string all = marked.Length == count ? marked : Options(text);
        return all.Length > count ? all[..count] : all;

        static string Options(string letters) => string.Concat(letters.Where(c => c is >= 'A' and <= 'G'));
    }

    /// <summary>A set of letters behind the last mark of an answer, else in the last ten characters.</summary>
    public static string Set(string text)
    {
        int mark = text.LastIndexOf(AnswerMark, StringComparison.Ordinal);
        string from = mark >= 0 ? text[(mark + AnswerMark.Length)..] : text[Math.Max(0, text.Length - 10)..];
        int end = from.IndexOf('<', StringComparison.Ordinal);
        return string.Concat(Distinct(end > 0 ? from[..end] : from).Order());
    }

    /// <summary>The first five letters A to G.</summary>
    public static string FiveOfSeven(string text)
    {
        int mark = text.LastIndexOf(AnswerMark, StringComparison.Ordinal);
        return string.Concat(text[(mark < 0 ? 0 : mark)..].Where(c => c is >= 'A' and <= 'G').Take(5));
    }

    /// <summary>The letters A to Z of a text; with several questions one may come twice.</summary>
    private static string Only(string text) => string.Concat(text.Where(c => c is >= 'A' and <= 'Z'));

    private static string Distinct(string text) => string.Concat(Only(text).Distinct());

    [GeneratedRegex(@"【答案】([^【<]*)")]
    private static partial Regex Marked();
}
