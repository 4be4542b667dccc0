using System.Text;
using Uniscale.Corpus;
using Uniscale.Data;

namespace Uniscale.Evaluation.Tests.Support;

/// <summary>A tokenizer of 500 pieces, trained once on some English and Chinese sentences.</summary>
internal static class SmallTokenizer
{
    private static readonly Lazy<string> Model = new(() =>
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("uniscale-small-tokenizer-").FullName, "small.model");
        string[] words =
        [
            "question",
            "answer",
            "choice",
            "the",
            "of",
            "following",
            "which",
            "is",
            "are",
            "about",
            "multiple",
            "with",
            "light",
            "water",
            "A",
            "B",
            "C",
            "D",
        ];
        var random = new Random(3);
        var lines = Enumerable
            .Range(0, 600)
            .Select(i =>
                string.Join(' ', Enumerable.Range(0, 12).Select(_ => words[random.Next(words.Length)]))
                + (i % 3 == 0 ? " 以下是中国关于考试的单项选择题，请选出其中的正确答案。" : ". Answer: A")
            );
        TokenizerTrainer.Train(
            lines.Select(line => new DocumentPart(Encoding.UTF8.GetBytes(line), true, true)),
            path,
            new TokenizerTraining
            {
                VocabularySize = 500,
                Threads = 1,
                CharacterCoverage = 0.9995,
            }
        );
        return path;
    });

    public static Tokenizer Open() => Tokenizer.Load(Model.Value);
}
