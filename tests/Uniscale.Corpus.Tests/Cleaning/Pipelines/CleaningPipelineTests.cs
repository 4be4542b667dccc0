using Uniscale.Configuration;
using Uniscale.Corpus.Cleaning;

namespace Uniscale.Corpus.Tests.Cleaning;

public sealed class CleaningPipelineTests : IDisposable
{
    private readonly CleaningFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Steps_keep_their_order_names_and_switches()
    {
        var pipeline = _folder.Pipeline(
            "  - digits: { max: 0.1 }\n  - length: { enabled: false }\n  - digits: { name: many_digits, max: 0.5, except: [code] }"
        );
        Assert.Equal(["digits", "many_digits"], pipeline.Rules.Select(rule => rule.ReportedName));
        Assert.Equal(0.5, Assert.IsType<DigitsSection>(pipeline.Rules[1]).Max);
    }

    [Theory]
    [InlineData("  - lenght: {}", "steps[0] has no key 'lenght'; did you mean 'length'?")]
    [InlineData("  - length: { min_caracters: 3 }", "did you mean 'min_characters'?")]
    [InlineData("  - symbols: { max: 2 }", "must be between 0 and 1")]
    [InlineData("  - symbols: { max: few }", "expects a number, not 'few'")]
    [InlineData("  - { symbols: {}, digits: {} }", "it holds several")]
    [InlineData("  - {}", "it holds none")]
    [InlineData("  - digits: {}\n  - digits: {}", "second rule called 'digits'")]
    [InlineData("  - digits: { enabled: false }", "no step that is switched on")]
    [InlineData("  - digits: {", "is not YAML")]
    public void A_mistake_is_one_sentence_with_its_place(string steps, string expected)
    {
        string message = Assert.Throws<UserErrorException>(() => _folder.Pipeline(steps)).Message;
        Assert.Contains(expected, message);
        Assert.Contains("clean.yaml", message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Inputs_and_output_are_owed()
    {
        File.WriteAllText(_folder.PathOf("a.yaml"), "output: x\nsteps: [{symbols: {}}]");
        Assert.Contains("names no store", Assert.Throws<UserErrorException>(() => CleaningPipeline.Load(_folder.PathOf("a.yaml"))).Message);
        File.WriteAllText(_folder.PathOf("a.yaml"), "inputs: [x]\nsteps: [{symbols: {}}]");
        Assert.Contains("set output", Assert.Throws<UserErrorException>(() => CleaningPipeline.Load(_folder.PathOf("a.yaml"))).Message);
    }

    /// <summary>The sample pipeline works as it is, on a store of the domains that scripts/corpus.sh makes.</summary>
    [Fact]
    public void The_sample_pipeline_cleans()
    {
        foreach (string domain in new[] { "web", "books", "encyclopedia", "code" })
            _folder.Add(
                domain,
                Enumerable
                    .Range(domain[0] * 100, 20)
                    .Select(seed => CleaningFolder.Prose(seed, 80))
                    .Append(
                        "中文维基百科是维基百科协作计划的中文版本，自二零零二年十月二十四日正式成立，由非营利组织维基媒体基金会负责维持。"
                            + domain
                    )
            );
        string text = File.ReadAllText(Sample());
        Assert.Contains("${UNISCALE_CORPUS:-data/corpus-large}", text);
        string path = _folder.PathOf("clean.yaml");
        File.WriteAllText(
            path,
            text.Replace("${UNISCALE_CORPUS:-data/corpus-large}", _folder.PathOf(""), StringComparison.Ordinal)
                .Replace("${UNISCALE_CLEAN:-data/corpus-clean}", _folder.PathOf("clean"), StringComparison.Ordinal)
        );
        Assert.Contains(
            "tokenizer.model does not exist",
            Assert.Throws<UserErrorException>(() => new Cleaner(CleaningPipeline.Load(path), 2).Run()).Message
        );
        File.WriteAllText(path, File.ReadAllText(path).Replace("\ntokenizer: ", "\n# tokenizer: ", StringComparison.Ordinal));
        var report = new Cleaner(CleaningPipeline.Load(path), 2).Run();
        Assert.Equal(13, report.Steps.Count);
        Assert.InRange(report.Kept.Documents, 60, 83);
        Assert.True(File.Exists(_folder.PathOf("clean/report.html")));
    }

    private static string Sample() => Repository.PathOf("configs/clean.yaml");
}
