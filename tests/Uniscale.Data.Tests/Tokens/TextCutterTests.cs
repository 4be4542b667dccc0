using System.Text;

namespace Uniscale.Data.Tests;

public sealed class TextCutterTests
{
    /// <summary>Every length around the target, for text of each kind: the parts make up the text, none is empty, and no character is cut in two.</summary>
    [Theory]
    [InlineData("a\n")]
    [InlineData("a\n\n")]
    [InlineData("word ")]
    [InlineData("x")]
    [InlineData("语")]
    [InlineData("\n")]
    [InlineData("🙂 ")]
    public void Parts_make_up_the_text_whatever_its_length(string unit)
    {
        const int Target = 16;
        for (int repeats = 1; repeats < 3 * Target * 64 / unit.Length; repeats += repeats < 40 ? 1 : 37)
        {
            byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(unit, repeats)));
            for (int start = 0; start < text.Length;)
            {
                int length = TextCutter.Cut(text.AsSpan(start), Target);
                Assert.InRange(length, 1, Math.Min(text.Length - start, TextCutter.Lookahead(Target)));
                Assert.True(System.Text.Unicode.Utf8.IsValid(text.AsSpan(start, length)));
                start += length;
            }
        }
    }
}
