using Uniscale.Configuration.Schema;

namespace Uniscale.Evaluation.Exams.Answers;

/// <summary>
/// What is taken for the answer in a text that a model wrote, and how it is held against the right one (sources:
/// docs/how-to/evaluation.md).
/// </summary>
public enum AnswerRule
{
    /// <summary>
    /// The letter that a sentence such as "the answer is B" names, else the first letter of an option that stands alone; all of the right
    /// ones and no others.
    /// </summary>
    Letter,

    /// <summary>The last letter of an option in the text (GAOKAO-Bench, one question with one answer).</summary>
    LastLetter,

    /// <summary>
    /// One letter for each question of a record (GAOKAO-Bench, several questions): behind 【答案】 where as many stand there, else the first in
    /// the text.
    /// </summary>
    LetterList,

    /// <summary>
    /// A set of letters (GAOKAO-Bench, physics), behind 【答案】, else in the last ten characters; half the points for a part of the right
    /// ones.
    /// </summary>
    LetterSet,

    /// <summary>The first five letters A to G (GAOKAO-Bench, five sentences of seven).</summary>
    FiveOfSeven,

    /// <summary>
    /// The whole text, equal to a solution without case, articles, punctuation and blanks; the overlap of words (F1) beside it (Rajpurkar
    /// et al., SQuAD, 2016).
    /// </summary>
    ExactMatch,

    /// <summary>The overlap of words with a solution, then equality as for <see cref="ExactMatch"/>.</summary>
    [YamlName("f1")]
    F1,

    /// <summary>The last number of the text, equal to that of a solution (Cobbe et al., GSM8K, 2021).</summary>
    Number,

    /// <summary>
    /// What the last \boxed holds, else the last formula, else what stands behind the last equals sign; equal as mathematics (Hendrycks et
    /// al., MATH, 2021).
    /// </summary>
    Boxed,

    /// <summary>ROUGE-L with a solution (LongBench, summaries).</summary>
    Rouge,

    /// <summary>The class among a question's classes that the text names (LongBench, classification).</summary>
    Class,

    /// <summary>The share of the text's numbers that are the right one (LongBench, retrieval and counting).</summary>
    NumberShare,

    /// <summary>How alike the first line of code is to the solution (LongBench, code completion).</summary>
    CodeSimilarity,

    /// <summary>The program with the question's tests runs to its end (Chen et al., HumanEval, 2021; Austin et al., MBPP, 2021).</summary>
    Code,
}
