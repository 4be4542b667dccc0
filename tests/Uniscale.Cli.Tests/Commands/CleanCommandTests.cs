using System.Text.Json;
using System.Xml.Linq;
using static Uniscale.Cli.Tests.CommandRun;

namespace Uniscale.Cli.Tests.Commands;

public sealed class CleanCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Documents_are_cleaned_and_accounted_for_in_words_figures_and_a_page()
    {
        Directory.CreateDirectory(In("raw"));
        // One file: of files with the same bytes the import takes one.
        File.WriteAllLines(
            In("raw/all.jsonl"),
            Enumerable
                .Range(0, 20)
                .Select(i =>
                    JsonSerializer.Serialize(
                        new
                        {
                            text = i % 4 == 3
                                ? $"<b>{i}</b> & © ±±±±±±±±±±±±±±±±±"
                                : $"Document {i % 8} is about the words of a text that is long enough for this.",
                        }
                    )
                )
        );
        Ok("data", "import", In("raw"), "--domain", "books", "--out", In("store"));
        Ok("tokenizer", "train", In("store"), "--vocabulary", "300", "--out", In("t.model"), "--threads", "1");
        File.WriteAllText(
            In("clean.yaml"),
            $$"""
            inputs: [{{In("store")}}]
            output: {{In("clean")}}
            tokenizer: {{In("t.model")}}
            steps: [{ symbols: { max: 0.2 } }, { exact_documents: { name: copies } }, { language: {} }]
            """
        );
        string output = Ok("data", "clean", In("clean.yaml"), "--workers", "2");
        Assert.Contains("stage 2 of 2: ", output);
        Assert.Matches(@"(?m)^symbols +5 ", output);
        Assert.Matches(@"(?m)^copies +9 ", output);
        Assert.Matches(@"(?m)^all +20 +6 ", output);
        Assert.Contains("MB/s a core", output);

        var report = JsonDocument.Parse(File.ReadAllText(In("clean/report.json"))).RootElement;
        Assert.Equal(6, report.GetProperty("kept").GetProperty("documents").GetInt32());
        Assert.Equal(5, report.GetProperty("steps")[0].GetProperty("tally").GetProperty("samples").GetArrayLength());
        long[] tokens = [.. new[] { "input", "kept" }.Select(name => report.GetProperty(name).GetProperty("tokens").GetInt64())];
        Assert.Equal(
            tokens[0],
            tokens[1]
                + report
                    .GetProperty("steps")
                    .EnumerateArray()
                    .Sum(step => step.GetProperty("tally").GetProperty("dropped").GetProperty("tokens").GetInt64())
        );

        Assert.Matches($@"(?m)^all +20 +6 .* {tokens[0]} +{tokens[1]}\r?$", output);

        // Strict XML is more than a browser asks for: every tag closed, every character escaped.
        string page = File.ReadAllText(In("clean/report.html"));
        var body = XDocument
            .Parse(page[page.IndexOf("<body>", StringComparison.Ordinal)..page.IndexOf("</html>", StringComparison.Ordinal)])
            .Root!;
        Assert.Contains(body.Descendants("pre"), sample => sample.Value.StartsWith("<b>", StringComparison.Ordinal));
        Assert.DoesNotContain("http", page);
        Assert.Contains(
            body.Descendants("tr"),
            row =>
                row.Elements("td")
                    .Select(cell => cell.Value)
                    .Take(5)
                    .SequenceEqual(["all", "20", "6", $"{tokens[0]:N0}", $"{tokens[1]:N0}"])
        );

        Assert.Contains("was done before", Ok("data", "clean", In("clean.yaml")));
        Assert.Contains(
            "books",
            Ok("data", "tokenize", In("clean"), "--tokenizer", In("t.model"), "--out", In("tokens"), "--workers", "1")
        );
    }

    [Theory]
    [InlineData("", "There is no configuration file")]
    [InlineData("inputs: [nowhere]\noutput: out\nsteps: [{symbols: {}}]", "nowhere does not exist")]
    [InlineData("inputs: [nowhere]\noutput: out\nsteps: [{symbol: {}}]", "did you mean 'symbols'?")]
    [InlineData("inputs: [nowhere", "is not YAML")]
    [InlineData("inputs: [nowhere]\noutput: out\nsteps: [{symbols: {}}]\nworkers: 3", "has no key 'workers'")]
    public void A_mistake_is_one_sentence_and_exit_code_2(string yaml, string expected)
    {
        if (yaml.Length > 0)
            File.WriteAllText(In("clean.yaml"), yaml);
        Assert.Contains(expected, Refused("data", "clean", In("clean.yaml")));
    }

    private string In(string path) => _folder.In(path);
}
