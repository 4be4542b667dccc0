using System.CommandLine;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Generation;
using Uniscale.Evaluation.Inference;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale generate</c>: continue a text with what a run has learnt.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var run = new Argument<string>("RUN") { Description = "Directory of a run, or of one of its checkpoints." };
        var prompt = new Option<string>("--prompt") { Description = "Text to continue.", DefaultValueFactory = _ => "" };
        var tokens = new Option<int>("--tokens") { Description = "Tokens to write at most.", DefaultValueFactory = _ => 200 };
        var temperature = new Option<double>("--temperature") { Description = "0: always the likeliest token.", DefaultValueFactory = _ => 0.8 };
        var topP = new Option<double>("--top-p") { Description = "Draw from the likeliest tokens that sum to this probability.", DefaultValueFactory = _ => 0.95 };
        var seed = new Option<long>("--seed") { Description = "The same seed writes the same text.", DefaultValueFactory = _ => 1234 };
        var command = new Command("generate", "Continue a text with the newest checkpoint of a run.") { run, prompt, tokens, temperature, topP, seed };
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var sampling = new SamplingOptions(parsed.GetValue(temperature), parsed.GetValue(topP), parsed.GetValue(seed));
            sampling.Check();
            using var opened = Open(parsed.GetValue(run)!);
            string text = parsed.GetValue(prompt)!;
            output.Write(text);
            foreach (string piece in new TextGenerator(opened.Model, opened.Tokenizer).Continue(text, parsed.GetValue(tokens), sampling))
            {
                output.Write(piece);
                output.Flush();
            }
            output.WriteLine();
            return 0;
        });
        return command;
    }

    private sealed record Opened(TrainedModel Model, Tokenizer Tokenizer) : IDisposable
    {
        public void Dispose()
        {
            Model.Dispose();
            Tokenizer.Dispose();
        }
    }

    private static Opened Open(string path)
    {
        var checkpoint = CheckpointInput.Open(path, step: null);
        var configuration = CheckpointInput.ConfigurationOf(checkpoint);
        string model = configuration.Data.Tokenizer
            ?? throw new UserErrorException($"The run of {path} names no tokenizer (data.tokenizer), so its tokens cannot be turned into text.");
        var tokenizer = Tokenizer.Load(RunTokenizer.Find(path, model)
            ?? throw new UserErrorException($"The tokenizer {model} of the run is not there; paths in a configuration are relative to the directory that the run was started in."));
        long vocabulary = configuration.Model.Vocabulary > 0 ? configuration.Model.Vocabulary : tokenizer.Size;
        return CheckpointInput.Given(() => new Opened(TrainedModel.Load(configuration.ModelAt(checkpoint.Manifest.ConsumedTokens), vocabulary, checkpoint), tokenizer));
    }
}
