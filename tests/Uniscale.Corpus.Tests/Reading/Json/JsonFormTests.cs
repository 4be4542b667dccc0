using System.Text;
using Uniscale.Configuration;
using Uniscale.Corpus.Reading;
using Uniscale.Corpus.Tests.Importing;

namespace Uniscale.Corpus.Tests.Reading.Json;

public sealed class JsonFormTests : IDisposable
{
    private readonly ImportFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("{\"content\": \"x = 1\", \"lang\": \"Python\", \"id\": 7}\n", "x = 1", "7", null, "Python", null, null)]
    [InlineData(
        "{\"raw_content\": \"page\", \"url\": \"https://a.example\", \"date_download\": \"x\", \"language\": \"en\", \"language_score\": 0.5}\n",
        "page",
        null,
        "https://a.example",
        "en",
        null,
        0.5
    )]
    [InlineData(
        "{\"text\": \"pile\", \"meta\": {\"url\": \"u\", \"language\": \"zh\", \"timestamp\": \"2020-01-01\"}}\n",
        "pile",
        null,
        "u",
        "zh",
        "2020-01-01",
        null
    )]
    [InlineData(
        "{\"id\": \"a\", \"text\": \"dolma\", \"added\": \"2023-04-11\", \"created\": \"2021-01-01\", \"score\": 3}\n",
        "dolma",
        "a",
        null,
        null,
        "2021-01-01",
        3.0
    )]
    public void Texts_and_fields_are_found_under_their_usual_names(
        string line,
        string text,
        string? id,
        string? url,
        string? language,
        string? date,
        double? score
    )
    {
        var document = Assert.Single(_folder.Read(_folder.Write("part-0000", line)).Documents);
        Assert.Equal(
            (text, id, url, language, date, score),
            (document.Text, document.SourceId, document.Url, document.Language, document.Date, document.Score)
        );
    }

    [Fact]
    public void A_path_and_a_template_say_what_the_text_is_and_keep_says_what_stays()
    {
        const string chat =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi?\"},{\"role\":\"assistant\",\"content\":\"Yes.\"},{\"role\":\"tool\",\"content\":null}],\"body\":{\"en\":\"text\"},\"url\":\"u\",\"id\":\"i\"}\n{\"messages\":[]}\n";
        string path = _folder.Write("chat.jsonl", chat);
        Assert.Equal("Hi?\n\nYes.", Text(new ReadingOptions { Text = "messages[].content" }));
        Assert.Equal("text", Text(new ReadingOptions { Text = "body.en" }));
        Assert.Equal(
            "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n",
            Text(new ReadingOptions { Template = "chatml" })
        );
        var kept = Assert.Single(_folder.Read(path, new ReadingOptions { Text = "body.en", Keep = ["url"] }).Documents);
        Assert.Equal(("u", null), (kept.Url, kept.SourceId));
        Assert.Contains("lines without text", _folder.Read(path).Report.LeftOut.Keys);
        string Text(ReadingOptions reading) => Assert.Single(_folder.Read(path, reading).Documents).Text;
    }

    [Theory]
    [InlineData("--form wets", "wet")]
    [InlineData("--template chatm", "chatml")]
    [InlineData("--keep uri", "url")]
    [InlineData("--text a..b", "no path")]
    public void What_nobody_can_follow_is_refused_with_a_hint(string given, string hint)
    {
        string value = given.Split(' ')[1];
        var reading = given.Split(' ')[0] switch
        {
            "--form" => new ReadingOptions { Form = value },
            "--template" => new ReadingOptions { Template = value },
            "--keep" => new ReadingOptions { Keep = [value] },
            _ => new ReadingOptions { Text = value },
        };
        Assert.Contains(
            hint,
            Assert.Throws<UserErrorException>(() => new Importer("", "", new ImportOptions { Reading = reading })).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void An_array_is_read_object_by_object()
    {
        string long1 = string.Concat(Enumerable.Repeat("\\\"}]{[,", 20_000)),
            array =
                $"[\n  {{\"text\": \"one }}\"}},\n  {{\"text\": \"{long1}\", \"meta\": {{\"a\": [1, [2]]}}}}, {{\"text\": null}},\n7, {{\"text\":\"last\"}}\n]\n";
        (var report, var documents) = _folder.Read(_folder.Write("set.json", array));
        Assert.Equal(["one }", long1.Replace("\\\"", "\"", StringComparison.Ordinal), "last"], documents.Select(document => document.Text));
        Assert.Equal(["set.json:1", "set.json:2", "set.json:5"], documents.Select(document => document.Source));
        Assert.Equal(
            ["1 lines that are no JSON object", "1 lines without text"],
            report.LeftOut.Select(entry => $"{entry.Value} {entry.Key}")
        );
        Assert.Equal("json", Assert.Single(report.Forms).Key);
        Assert.Equal(
            ["a", "b"],
            _folder
                .Read(_folder.Write("one.json", "{\n  \"text\": \"a\"\n}\n{\n  \"text\": \"b\"\n}\n"))
                .Documents.Select(document => document.Text)
        );
        _folder.AssertDamaged("cut.json", Encoding.UTF8.GetBytes(array[..^2]), "bracket is missing");
        _folder.AssertDamaged("object.json", Encoding.UTF8.GetBytes(array[..^9]), "cut within an object");
        _folder.AssertDamaged("more.json", Encoding.UTF8.GetBytes(array + "]"), "follows behind the array");
    }

    [Fact]
    public void A_notebook_gives_its_cells_and_not_what_they_gave_out()
    {
        const string notebook = """
            {"cells": [{"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "Words."]},
              {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [{"data": {"image/png": "iVBORw0KGgo="}, "output_type": "display_data"}], "source": "x = 1\nprint(x)\n"},
              {"cell_type": "code", "outputs": [], "source": []}],
             "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
            """;
        (var report, var documents) = _folder.Read(_folder.Write("a.ipynb", notebook));
        Assert.Equal("# Title\nWords.\n\n```python\nx = 1\nprint(x)\n```", Assert.Single(documents).Text);
        Assert.Equal("notebook", Assert.Single(report.Forms).Key);
        Assert.Equal(1, _folder.Read(_folder.Write("cut.ipynb", notebook[..^5])).Report.LeftOut["notebooks that are no JSON"]);
        Assert.Equal("notebook", Assert.Single(_folder.Read(_folder.Write("unnamed", notebook)).Report.Forms).Key);
    }
}
