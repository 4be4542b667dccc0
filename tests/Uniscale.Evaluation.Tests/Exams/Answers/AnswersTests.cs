using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Exams.Answers;

namespace Uniscale.Evaluation.Tests.Exams.Answers;

public sealed class AnswersTests
{
    [Theory]
    [InlineData("The answer is B.", 4, "B")]
    [InlineData("A is wrong, so the answer is (C)", 4, "C")]
    [InlineData("First, answer: A. No, the answer is D", 4, "D")]
    [InlineData(" B", 4, "B")]
    [InlineData("B. because A", 4, "B")]
    [InlineData("所以答案是A。", 4, "A")]
    [InlineData("应选择C", 4, "C")]
    [InlineData("the result is \\boxed{D}", 4, "D")]
    [InlineData("答案：AC", 4, "AC")]
    [InlineData("the answers are A, C and D", 4, "ACD")]
    [InlineData("B B B", 4, "B")]
    [InlineData("E", 4, "")]
    [InlineData("E", 5, "E")]
    [InlineData("Apples", 4, "")]
    [InlineData("", 4, "")]
    public void LettersAreThoseThatASentenceNames(string text, int options, string letters) =>
        Assert.Equal(letters, LetterAnswers.Named(text, options));

    [Theory]
    [InlineData("A不对，B也不对。【答案】 C <eoa>", "C")]
    [InlineData("无", "")]
    public void OneQuestionTakesTheLastLetter(string text, string letter) => Assert.Equal(letter, LetterAnswers.Last(text));

    [Theory]
    [InlineData("【解析】A…【答案】BCD<eoa>", 3, "BCD")]
    [InlineData("(1)【答案】B<eoa>(2)【答案】D<eoa>", 2, "BD")]
    [InlineData("【答案】B<eoa>", 3, "B")]
    [InlineData("选A，然后C，最后B", 3, "ACB")]
    public void SeveralQuestionsTakeALetterEach(string text, int count, string letters) =>
        Assert.Equal(letters, LetterAnswers.List(text, count));

    [Theory]
    [InlineData("D【答案】 B、A <eoa> C", "AB")]
    [InlineData("A much longer text that ends with C D", "CD")]
    public void PhysicsTakesASet(string text, string letters) => Assert.Equal(letters, LetterAnswers.Set(text));

    [Fact]
    public void FiveOfSevenTakesTheFirstFive() => Assert.Equal("GEBFA", LetterAnswers.FiveOfSeven("思路…【答案】GEBFAC<eoa>"));

    /// <summary>All letters of a set earn all points, a part of them half, a wrong one none.</summary>
    [Theory]
    [InlineData("【答案】AB", 1)]
    [InlineData("【答案】A", 0.5)]
    [InlineData("【答案】ABC", 0)]
    [InlineData("【答案】", 0)]
    public void APartOfASetIsHalf(string text, double points) =>
        Assert.Equal(
            points,
            WrittenScores.Of(new Question("q", "", [], []) { Solutions = ["BA"], Rule = AnswerRule.LetterSet }, AnswerRule.LetterSet, text)[
                "points"
            ]
        );

    [Fact]
    public void ARecordOfSeveralQuestionsCountsEach()
    {
        var scores = WrittenScores.Of(
            new Question("q", "", [], []) { Solutions = ["A", "B", "C", "D"] },
            AnswerRule.LetterList,
            "【答案】ABDD"
        );
        Assert.Equal((0.75, 0.0), (scores["points"], scores["acc"]));
    }

    [Theory]
    [InlineData("The  Eiffel Tower!", "eiffel tower", 1, 1)]
    [InlineData("the tall Eiffel Tower", "Eiffel Tower", 0, 0.8)]
    [InlineData("北京", "北京市", 0, 0.8)]
    [InlineData("London", "Paris", 0, 0)]
    [InlineData("", "Paris", 0, 0)]
    public void WordsAreComparedWithoutArticlesAndPunctuation(string text, string solution, double exact, double f1)
    {
        var scores = WrittenScores.Of(new Question("q", "", [], []) { Solutions = ["nothing else", solution] }, AnswerRule.F1, text);
        Assert.Equal("f1", scores.Keys.First());
        Assert.Equal((exact, f1), (scores["exact_match"], Math.Round(scores["f1"], 9)));
    }

    [Theory]
    [InlineData("so 3 + 4 = 7 apples.", "#### 7", 1)]
    [InlineData("It costs $1,234.50 in all", "1234.5", 1)]
    [InlineData("minus -5", "-5", 1)]
    [InlineData("7 or 8", "7", 0)]
    [InlineData("none", "7", 0)]
    public void NumbersAreTheLastOnes(string text, string solution, double right) =>
        Assert.Equal(right, Scored(AnswerRule.Number, text, solution));

    [Theory]
    [InlineData(@"thus \boxed{\frac{1}{2}} holds", @"\dfrac12", 1)]
    [InlineData(@"\boxed{x = 5}", "5", 1)]
    [InlineData(@"so it is $0.5$", "1/2", 1)]
    [InlineData(@"a = b = 1,000", "1000", 1)]
    [InlineData(@"\boxed{12\text{ cm}}", "12", 1)]
    [InlineData(@"\boxed{\sqrt3}", @"\sqrt{3}", 1)]
    [InlineData(@"\boxed{90^\circ}", "90", 1)]
    [InlineData(@"\boxed{\text{east}}", "east", 1)]
    [InlineData(@"\boxed{\text{east}}", @"\text{west}", 0)]
    [InlineData(@"\boxed{1} and \boxed{{2}}", "{2}", 1)]
    [InlineData(@"\boxed{3", "3", 0)]
    [InlineData(@"\boxed{4}", "3", 0)]
    public void FormulasAreTheBoxedOnes(string text, string solution, double right) =>
        Assert.Equal(right, Scored(AnswerRule.Boxed, text, solution));

    /// <summary>Of 5 samples 2 are right: all ways to draw k of 5 without one of the 2.</summary>
    [Theory]
    [InlineData(5, 2, 1, 0.4)]
    [InlineData(5, 2, 2, 0.7)]
    [InlineData(5, 2, 4, 1)]
    [InlineData(5, 0, 3, 0)]
    [InlineData(5, 5, 1, 1)]
    public void PassAtKCountsTheDraws(int samples, int right, int k, double share) =>
        Assert.Equal(share, WrittenScores.PassAt(samples, right, k), 12);

    private static double Scored(AnswerRule rule, string text, string solution) =>
        WrittenScores.Of(new Question("q", "", [], []) { Solutions = [solution] }, rule, text)["acc"];
}
