using System.Buffers;
using System.Text;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Removes lines that hold a phrase of notices, navigation or forms; drops documents of which little remains.</summary>
internal sealed class BoilerplateRule : IDocumentRule
{
    private static readonly string[] BuiltIn =
    [
        "all rights reserved",
        "copyright ©",
        "(c) copyright",
        "privacy policy",
        "cookie policy",
        "terms of service",
        "terms of use",
        "accept cookies",
        "uses cookies",
        "enable javascript",
        "requires javascript",
        "sign up for our newsletter",
        "subscribe to our",
        "click here to",
        "log in to",
        "share on facebook",
        "share this page",
        "back to top",
        "skip to content",
        "skip to main content",
        "powered by",
        "lorem ipsum",
        "table of contents",
        "previous page",
        "版权所有",
        "保留所有权利",
        "隐私政策",
        "使用条款",
        "点击这里",
        "返回顶部",
        "上一页",
        "下一页",
        "转载请注明",
        "关注我们",
        "扫描二维码",
        "登录后",
        "备案号",
    ];

    private readonly BoilerplateSection _settings;
    private readonly SearchValues<string> _phrases;

    public BoilerplateRule(BoilerplateSection settings)
    {
        _settings = settings;
        _phrases = SearchValues.Create(
            [.. settings.BuiltIn ? BuiltIn : [], .. settings.Phrases.Where(phrase => phrase.Length > 0)],
            StringComparison.OrdinalIgnoreCase
        );
    }

    public bool Keeps(CleaningDocument document)
    {
        ReadOnlySpan<char> text = document.Text;
        if (!text.ContainsAny(_phrases))
            return true;
        var kept = new StringBuilder(text.Length);
        foreach (var range in text.Split('\n'))
        {
            var line = text[range];
            if (line.Length > _settings.MaxLine || !line.ContainsAny(_phrases))
                kept.Append(line).Append('\n');
        }
        int length = Math.Max(0, kept.Length - 1); // the last line ends as it did
        if (length == text.Length)
            return true;
        if (length < (1 - _settings.MaxRemoved) * text.Length)
            return false;
        document.Text = kept.ToString(0, length);
        return true;
    }
}
